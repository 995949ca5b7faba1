import { resolve } from 'node:path'
import type { Command } from 'commander'
import { type BackupContents, makeBackup } from './backup.ts'
import { systemClock } from './clock.ts'
import { command, type Terminal } from './command.ts'
import { restoreBackup } from './restore.ts'

const KEY_IN_THE_OPEN =
  'Warning: the identity key in it has no passphrase. Whoever reads the backup can act as this party: keep it as you keep the key.\n'
/** A file that is copied sooner needs no word about it. */
const WORTH_SHOWING = 1 << 26

/** The commands `backup` and `restore`, which every party has. */
export function backupCommands(terminal: Terminal, contents: BackupContents): Command[] {
  return [backupCommand(terminal, contents), restoreCommand(terminal, contents)]
}

interface BackupOptions {
  readonly withoutRecords?: boolean
  readonly json?: boolean
}

function backupCommand(terminal: Terminal, contents: BackupContents): Command {
  const role = contents.config.shape.role.value
  const made = command(
    'backup',
    'copy the directory to a new folder, also while the party runs',
    `inbond ${role} backup DIR backups/2026-11-22`,
  )
    .argument('<dir>', `the ${role}'s directory`)
    .argument('<folder>', 'a new folder')
    .option('--json', 'for programs')
  if (contents.records !== undefined) made.option('--without-records', `leave ${contents.records} out`)
  return made.action(async (path: string, folder: string, options: BackupOptions) => {
    const target = resolve(folder)
    const { manifest, keyIsSealed } = await makeBackup(path, target, contents, {
      withRecords: options.withoutRecords !== true,
      now: systemClock.now(),
      signal: terminal.signal,
      progress: showProgress(terminal),
    })
    if (!keyIsSealed) terminal.err(KEY_IN_THE_OPEN)
    const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0)
    terminal.err(
      `Copied ${manifest.files.length} files, ${megabytes(bytes)}. Keys that serve once are not among them.\n`,
    )
    const { madeAt, files } = manifest
    const result = { folder: target, madeAt, files: files.length, bytes, keyIsSealed }
    terminal.out(options.json ? `${JSON.stringify(result)}\n` : `${target}\n`)
  })
}

function restoreCommand(terminal: Terminal, contents: BackupContents): Command {
  const role = contents.config.shape.role.value
  return command('restore', 'make the directory anew from a backup', `inbond ${role} restore DIR backups/2026-11-22`)
    .argument('<dir>', 'a new directory')
    .argument('<folder>', 'the backup')
    .option('--json', 'for programs')
    .action(async (path: string, folder: string, options) => {
      const directory = resolve(path)
      const restoring = { now: systemClock.now(), signal: terminal.signal }
      const { madeAt } = await restoreBackup(folder, directory, contents, restoring)
      terminal.err(`Restored ${path} as it was at ${madeAt}; what happened since is not known here.\n`)
      const start = role === 'researcher' ? 'Use' : 'Start'
      terminal.err(`${start} it only when the old one is gone for good: two of them could say different things.\n`)
      if (options.json) terminal.out(`${JSON.stringify({ directory, madeAt })}\n`)
    })
}

function showProgress(terminal: Terminal) {
  return (file: string, bytes: number, whole: number) => {
    if (terminal.columns === undefined || whole < WORTH_SHOWING) return
    terminal.err(`\r\u001b[K${file}: ${megabytes(bytes)} of ${megabytes(whole)}${bytes === whole ? '\n' : ''}`)
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
