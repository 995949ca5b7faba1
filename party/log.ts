import pino from 'pino'

export type Level = 'debug' | 'info' | 'warn' | 'error'

/** What may stand in a log line: no object, so that no error with its causes, no message and no record finds a way in. */
export type LogEvent = { readonly msg: string } & Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>

/** Writes one event of a party as a line of JSON: its level, time, the party, `msg`, and its other fields. */
export type Log<Event extends LogEvent> = (event: Event) => void

/**
 * @param party fields of every line
 * @param least the lowest level that is written
 */
export function openLog<Event extends LogEvent>(
  party: Readonly<Record<string, string>>,
  levelOf: (event: Event) => Level,
  least: Level,
  write: (line: string) => void,
): Log<Event> {
  const formatters = { level: (level: string) => ({ level }) }
  const log = pino({ base: party, level: least, timestamp: pino.stdTimeFunctions.isoTime, formatters }, { write })
  return event => log[levelOf(event)](event)
}
