import fc from 'fast-check'
import { expect } from 'vitest'
import { type Checkpoint, signCheckpoint, verifyCheckpoint } from '#crypto/checkpoint.ts'
import type { LogHead } from '#crypto/log.ts'
import { bundleOf, entriesOf, hashesOf, type LogEntry, parseTilePath, type Tile, tilePath } from '#specs/log-tiles.ts'
import { messageKinds } from '#specs/messages.ts'
import { type Decoder, decoder } from './decoder.ts'
import { mutatedBytes, mutatedText } from './mutations.ts'
import type { Recording } from './recording.ts'

/** What parties read of a coordinator's log, and what the coordinator is asked for. */
export function logDecoders({ federation }: Recording): Decoder[] {
  return [checkpoints(federation.coordinator.context.key), paths(), bundles(), tiles()]
}

function checkpoints(key: Recording['federation']['coordinator']['context']['key']): Decoder {
  const heads: LogHead[] = [0, 1, 20_852_163, Number.MAX_SAFE_INTEGER].map((size, i) => ({
    size,
    root: `${i}`.repeat(64),
  }))
  const examples = heads.map(head => signCheckpoint(key, head))
  return decoder<string, Checkpoint>({
    name: 'a checkpoint',
    examples,
    inputs: mutatedText(examples),
    codes: ['bad-checkpoint'],
    decode: text => verifyCheckpoint(text, key.publicKey),
    believe: ({ text, ...head }, input) => {
      expect(text).toBe(input)
      expect(heads).toContainEqual(head)
      expect(signCheckpoint(key, head)).toBe(input)
    },
  })
}

function paths(): Decoder {
  const examples = ['0/000', '1/x001/234.p/5', '63/x001/x234/067', 'entries/000.p/255', 'entries/x999/999']
  return decoder<string, Tile>({
    name: 'the path of a tile',
    examples,
    inputs: mutatedText(examples),
    codes: ['not-found'],
    decode: parseTilePath,
    believe: (tile, path) => {
      expect(tilePath(tile)).toBe(path)
      expect(tile.width).toBeGreaterThan(0)
      expect(tile.width).toBeLessThanOrEqual(256)
    },
  })
}

interface Sized {
  readonly width: number
  readonly bytes: Uint8Array
}

function bundles(): Decoder {
  const entries = messageKinds.map(({ typ }, i) => ({ typ, message: i.toString(16).padStart(64, '0') }))
  const examples = [1, 2, entries.length].map(width => ({ width, bytes: bundleOf(entries.slice(0, width)) }))
  return decoder<Sized, LogEntry[]>({
    name: 'a bundle of entries',
    examples,
    inputs: fc.record({
      bytes: mutatedBytes(examples.map(one => one.bytes)),
      width: fc.constantFrom(1, 2, entries.length, 256),
    }),
    codes: ['bad-body'],
    decode: ({ bytes, width }) => entriesOf(bytes, width),
    believe: (read, { bytes, width }) => {
      expect(read).toHaveLength(width)
      expect(Buffer.from(bundleOf(read)).equals(bytes)).toBe(true)
    },
  })
}

function tiles(): Decoder {
  const examples = [1, 3, 256].map(width => ({ width, bytes: new Uint8Array(32 * width).fill(width) }))
  return decoder<Sized, Uint8Array[]>({
    name: 'a tile of hashes',
    examples,
    inputs: fc.record({ bytes: mutatedBytes(examples.map(one => one.bytes)), width: fc.constantFrom(1, 3, 255, 256) }),
    codes: ['bad-body'],
    decode: ({ bytes, width }) => hashesOf(bytes, width),
    believe: (read, { bytes, width }) => {
      expect(read.every(one => one.length === 32)).toBe(true)
      expect([read.length, Buffer.concat(read).equals(bytes)]).toEqual([width, true])
    },
  })
}
