import type { Terminal } from './command.ts'

/** This process as a terminal. The first Ctrl-C asks the command to end; a second one ends the process. */
export function thisProcess(): Terminal {
  const ending = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (ending.signal.aborted) process.exit(130)
      ending.abort()
    })
  }
  return {
    args: process.argv.slice(2),
    environment: process.env,
    out: text => void process.stdout.write(text),
    err: text => void process.stderr.write(text),
    interactive: process.stderr.isTTY === true,
    signal: ending.signal,
  }
}
