import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { IdentityKey } from '#crypto/signature.ts'
import { systemClock } from '#party/clock.ts'
import { command, passphraseOf, type Terminal, warnOfPlainKey } from '#party/command.ts'
import { Connection } from '#party/connection.ts'
import { type Coordinates, parseFederation } from '#party/coordinates.ts'
import { CONFIG, enrolDirectory, exists, openDirectory } from '#party/directory.ts'
import { fault } from '#specs/errors.ts'
import { config } from './config.ts'
import { becomeResearcher } from './person.ts'

/** `inbond researcher login`: for people whose organisation a member vouches for. The first login makes the directory. */
export function loginCommand(terminal: Terminal) {
  return command(
    'login',
    'log in with your organisation, instead of an invitation, and again every 30 days',
    'inbond researcher login me --federation https://stats.example.org#FINGERPRINT --organisation "Bank of Korea"',
  )
    .argument('<dir>', 'a new directory, or the one of an earlier login')
    .option('--federation <address>', "the coordinator's address and the fingerprint of its key, for a new directory")
    .option('--organisation <name>', 'yours, if members vouch for several')
    .action(async (path: string, options) => {
      const passphrase = await passphraseOf(options, terminal)
      const enter = (key: IdentityKey, to: Coordinates) => {
        const connection = new Connection(to, key, systemClock)
        const newcomer = { key, to, connection, fetch: globalThis.fetch, clock: systemClock, randomness: randomBytes }
        return becomeResearcher(newcomer, options.organisation, showing(terminal), terminal.signal)
      }
      if (await exists(join(path, CONFIG))) {
        const { config: settings, key } = await openDirectory(path, config, passphrase)
        const name = await enter(key, settings.coordinator)
        terminal.err(`Logged in as ${name}.\n`)
        return
      }
      if (options.federation === undefined) {
        throw fault('bad-option', 'a new directory needs --federation, such as https://stats.example.org#FINGERPRINT')
      }
      const coordinator = parseFederation(options.federation)
      let name = ''
      const enrolled = await enrolDirectory(path, passphrase, async key => {
        name = await enter(key, coordinator)
        return { role: 'researcher', name, coordinator }
      })
      warnOfPlainKey(passphrase, terminal)
      terminal.err(`Logged in as ${name}. Next: inbond query run FILE.yaml --as ${path}\n`)
      terminal.out(`${enrolled.fingerprint}\n`)
    })
}

function showing(terminal: Terminal): (address: string) => void {
  return address => terminal.err(`Open this address in a browser on this machine, and log in:\n\n  ${address}\n\n`)
}
