import type { Terminal } from './command.ts'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const
/** What a shell shows for a program that a broken pipe ended: 128 and the number of SIGPIPE. */
const EXIT_BROKEN_PIPE = 141

/** This process as a terminal. The first Ctrl-C asks the command to end; a second one ends the process. */
export function thisProcess(): Terminal {
  const ending = new AbortController()
  const end = () => {
    if (ending.signal.aborted) process.exit(130)
    ending.abort()
  }
  for (const signal of SIGNALS) process.on(signal, end)
  // Whatever a party writes is its owner's alone.
  process.umask(0o077)
  // Whoever reads the output may stop in the middle, as `head` does: then there is nothing left to do, and it is no error.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? EXIT_BROKEN_PIPE : 1))
  }
  return {
    args: process.argv.slice(2),
    environment: process.env,
    out: text => void process.stdout.write(text),
    err: text => void process.stderr.write(text),
    columns: process.stderr.isTTY ? process.stderr.columns : undefined,
    signal: ending.signal,
    endAtOnce: () => {
      for (const signal of SIGNALS) process.off(signal, end)
    },
  }
}
