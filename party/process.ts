import type { Terminal } from './command.ts'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** This process as a terminal. The first Ctrl-C asks the command to end; a second one ends the process. */
export function thisProcess(): Terminal {
  const ending = new AbortController()
  const end = () => {
    if (ending.signal.aborted) process.exit(130)
    ending.abort()
  }
  for (const signal of SIGNALS) process.on(signal, end)
  return {
    args: process.argv.slice(2),
    environment: process.env,
    out: text => void process.stdout.write(text),
    err: text => void process.stderr.write(text),
    interactive: process.stderr.isTTY === true,
    signal: ending.signal,
    endAtOnce: () => {
      for (const signal of SIGNALS) process.off(signal, end)
    },
  }
}
