import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bundleOf, entriesOf, hashesOf, LONGEST_BUNDLE, parseTilePath, type Tile, tilePath } from './log-tiles.ts'
import { messageKinds } from './messages.ts'

describe('the path of a tile', () => {
  test.each<[string, Tile]>([
    ['0/000', { level: 0, index: 0, width: 256 }],
    ['0/000.p/1', { level: 0, index: 0, width: 1 }],
    ['1/999.p/255', { level: 1, index: 999, width: 255 }],
    ['2/x001/000', { level: 2, index: 1000, width: 256 }],
    ['63/x001/x234/067', { level: 63, index: 1_234_067, width: 256 }],
    ['entries/x001/x234/067.p/8', { level: 'entries', index: 1_234_067, width: 8 }],
  ])('%s', (path, tile) => {
    expect(tilePath(tile)).toBe(path)
    expect(parseTilePath(path)).toEqual(tile)
  })

  test.each([
    ...['', '0', '0/', '0/0', '0/00', '0/0000', '0/x000/000', '0/x001', '0/001/000', '0/001000', '00/000', '64/000'],
    ...['0/000.p/0', '0/000.p/256', '0/000.p/01', '0/000.p/', '0/000.p', '0/000/', '/0/000', '-1/000', 'Entries/000'],
    ...['0/000\n', '0/000.p/1/', '0/X001/000', '0/x001/x000/x000/x000/x000/x000/000', '0/00\u0660', 'entries/-01'],
  ])('is not %j', path => {
    expect(() => parseTilePath(path)).toThrow(expect.objectContaining({ code: 'not-found' }))
  })

  test('is the same read and written', () => {
    const tiles = fc.record({
      level: fc.oneof(fc.nat(63), fc.constant('entries' as const)),
      index: fc.maxSafeNat(),
      width: fc.integer({ min: 1, max: 256 }),
    })
    fc.assert(fc.property(tiles, tile => void expect(parseTilePath(tilePath(tile))).toEqual(tile)))
  })
})

const entries = messageKinds.map(({ typ }, i) => ({ typ, message: i.toString(16).padStart(64, '0') }))
const refused = (read: () => void) => expect(read).toThrow(expect.objectContaining({ code: 'bad-body' }))

describe('a bundle of entries', () => {
  test('is the same read and written', () => {
    expect(entriesOf(bundleOf(entries), entries.length)).toEqual(entries)
    const full = Array.from({ length: 256 }, (_, i) => entries[i % entries.length] as (typeof entries)[0])
    expect(entriesOf(bundleOf(full), 256)).toEqual(full)
    expect(bundleOf(full).length).toBeLessThan(LONGEST_BUNDLE)
  })

  test('is of so many entries, and whole', () => {
    const bundle = bundleOf(entries)
    for (const width of [0, 1, entries.length - 1, entries.length + 1]) refused(() => entriesOf(bundle, width))
    for (let length = 0; length < bundle.length; length++) {
      refused(() => entriesOf(bundle.subarray(0, length), entries.length))
    }
    refused(() => entriesOf(Buffer.concat([bundle, Uint8Array.of(0)]), entries.length))
    refused(() => entriesOf(Buffer.concat([bundle, Uint8Array.of(0, 0)]), entries.length + 1))
  })

  test('with one byte changed says something else, or nothing', () => {
    const bundle = bundleOf(entries)
    fc.assert(
      fc.property(fc.nat(bundle.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bent = Buffer.from(bundle)
        bent[at] = (bent[at] as number) ^ change
        let read: unknown
        try {
          read = entriesOf(bent, entries.length)
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad-body' })
        }
        expect(read).not.toEqual(entries)
      }),
    )
  })
})

test('a tile of hashes has 32 bytes for each', () => {
  const tile = Uint8Array.from({ length: 96 }, (_, i) => i)
  expect(hashesOf(tile, 3).map(one => one[0])).toEqual([0, 32, 64])
  for (const width of [0, 2, 4]) refused(() => hashesOf(tile, width))
  refused(() => hashesOf(tile.subarray(1), 3))
})
