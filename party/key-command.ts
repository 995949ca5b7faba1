import type { Command } from 'commander'
import { fault } from '#specs/errors.ts'
import { command, group, passphraseOf, type Terminal, warnOfPlainKey } from './command.ts'
import { type ConfigSchema, sealAnew } from './directory.ts'

/** The commands about a party's identity key, `inbond … key`. */
export function keyCommands(terminal: Terminal, schema: ConfigSchema, more: readonly Command[] = []): Command {
  return group('key', 'the identity key', [passphraseCommand(terminal, schema), ...more])
}

function passphraseCommand(terminal: Terminal, schema: ConfigSchema): Command {
  const role = schema.shape.role.value
  return command(
    'passphrase',
    'seal the identity key with another passphrase',
    `inbond ${role} key passphrase DIR --passphrase-file old --new-passphrase-file new`,
  )
    .argument('<dir>', `the ${role}'s directory`)
    .option('--new-passphrase-file <file>', 'the passphrase from now on')
    .option('--without-passphrase', 'store the key without one')
    .action(async (path: string, options) => {
      const { newPassphraseFile, withoutPassphrase } = options
      if ((newPassphraseFile === undefined) === (withoutPassphrase === undefined)) {
        throw fault('bad-option', 'say the new passphrase with --new-passphrase-file, or --without-passphrase')
      }
      const before = await passphraseOf(options, terminal)
      const after = withoutPassphrase ? undefined : await passphraseOf({ passphraseFile: newPassphraseFile }, terminal)
      const keys = await sealAnew(path, schema, before, after)
      warnOfPlainKey(after, terminal)
      terminal.err(
        `${keys.length === 1 ? 'The key is' : 'The keys are'} the same; backups that were made before still open with the earlier passphrase.\n`,
      )
      for (const { fingerprint } of keys) terminal.out(`${fingerprint}\n`)
    })
}
