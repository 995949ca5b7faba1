import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { type ErrorCode, statuses } from '#specs/errors.ts'
import { PROTOCOL } from '#specs/signed.ts'
import release from '../package.json' with { type: 'json' }
import { databaseBytes, freeBytes } from './glance.ts'

/** A registry with what every party measures: its process, and which program it runs. */
export function newRegistry(): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  new Gauge({
    name: 'inbond_build_info',
    help: 'Always 1; says which version runs and which protocol it speaks.',
    labelNames: ['version', 'protocol'],
    registers: [registry],
  }).set({ version: release.version, protocol: PROTOCOL }, 1)
  return registry
}

/** A gauge whose value is looked up whenever it is asked for: a number, or one for each value of its label. */
export function gauge(registry: Registry, name: string, help: string, look: () => number | undefined): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      const value = look()
      if (value === undefined) this.remove({})
      else this.set(value)
    },
  })
}

/** The same with a value for each of a bounded set of label values; those that are not looked up any more disappear. */
export function gaugeBy(
  registry: Registry,
  name: string,
  help: string,
  label: string,
  look: () => Iterable<readonly [string, number]>,
): void {
  new Gauge({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      this.reset()
      for (const [value, number] of look()) this.set({ [label]: value }, number)
    },
  })
}

/** Counts errors by their code; a code that is not Inbond's own, from a newer party for example, counts as `unknown`. */
export function errorCounter(registry: Registry, name: string, help: string): (code: string) => void {
  const counter = new Counter({ name, help, labelNames: ['code'], registers: [registry] })
  return code => counter.inc({ code: isKnown(code) ? code : 'unknown' })
}

function isKnown(code: string): code is ErrorCode {
  return Object.hasOwn(statuses, code)
}

/** What is free on the disk of a party, and what its databases take of it, in bytes. */
export function measureDisk(registry: Registry, directory: string, databases: Readonly<Record<string, string>>): void {
  gauge(registry, 'inbond_disk_free_bytes', 'Free on the file system of the directory.', () => freeBytes(directory))
  const help = 'Size of a database with its write-ahead log.'
  gaugeBy(registry, 'inbond_database_bytes', help, 'database', () =>
    Object.entries(databases).map(([name, file]) => [name, databaseBytes(file)] as const),
  )
}
