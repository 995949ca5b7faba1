import { join } from 'node:path'
import { EventLog } from '#coordinator/event-log.ts'
import * as coordinatorSchema from '#coordinator/schema.ts'
import { signCheckpoint, verifyCheckpoint } from '#crypto/checkpoint.ts'
import { leafHash } from '#crypto/log.ts'
import { consistencyOutline, inclusionOutline, verifyConsistency, verifyInclusion } from '#crypto/log-proofs.ts'
import { readKeyFile } from '#crypto/signature.ts'
import { openDatabase } from '#party/database.ts'
import { entriesOf, parseTilePath } from '#specs/log-tiles.ts'
import { entryOf, type Layers, type LogLayer } from '../layers.ts'

/** The layers of the log, as the product has them: the coordinator's own log, and what is read of it. */

const MIGRATIONS = join(import.meta.dirname, '../../../coordinator/migrations')
const KEY = { publicKey: '', fingerprint: '', privateKey: '' }

function logOf<T>(entries: number, read: (log: EventLog) => T): T {
  const db = openDatabase(':memory:', coordinatorSchema, MIGRATIONS)
  try {
    const log = new EventLog(db, KEY)
    db.transaction(tx => {
      for (let i = 0; i < entries; i++) {
        const { typ, message } = entryOf(i)
        log.append(tx, typ, message, 0)
      }
    })
    return read(log)
  } finally {
    db.$client.close()
  }
}

const hex = (hashes: readonly Uint8Array[] = []) => hashes.map(one => Buffer.from(one).toString('hex'))
const bytes = (hashes: readonly string[]) => hashes.map(one => new Uint8Array(Buffer.from(one, 'hex')))

export const logLayers: Pick<Layers, LogLayer> = {
  'log-head': ({ entries }) => logOf(entries, log => ({ ...log.head() })),
  'inclusion-proof': ({ entries, index }) =>
    logOf(entries, log => ({ hashes: hex(log.proofs([inclusionOutline(index, entries)])[0]) })),
  'consistency-proof': ({ entries, earlier }) =>
    logOf(entries, log => ({ hashes: hex(log.proofs([consistencyOutline(earlier, entries)])[0]) })),
  'verify-inclusion': ({ entry, index, hashes, size, root }) => {
    verifyInclusion(leafHash(entry), index, bytes(hashes), { size, root })
    return {}
  },
  'verify-consistency': ({ earlier, later, hashes }) => {
    verifyConsistency(earlier, later, bytes(hashes))
    return {}
  },
  'sign-checkpoint': async ({ privateKey, publicKey, size, root }) => {
    const key = await readKeyFile(JSON.stringify({ x: publicKey, d: privateKey }), undefined)
    return { checkpoint: signCheckpoint(key, { size, root }) }
  },
  'verify-checkpoint': async ({ publicKey, checkpoint }) => {
    const { size, root } = await verifyCheckpoint(checkpoint, publicKey)
    return { size, root }
  },
  tile: ({ entries, path }) => logOf(entries, log => ({ bytes: new Uint8Array(log.tile(parseTilePath(path))) })),
  'read-entries': ({ bundle, width }) => ({ entries: entriesOf(bundle, width).map(one => ({ ...one })) }),
}
