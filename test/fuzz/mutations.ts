import fc from 'fast-check'

/**
 * Hostile inputs: what an honest party writes with a few things changed, and garbage. A case is a short list of changes to an
 * example, so that a failure shrinks to the one change that matters.
 */

/** Lengths, counts and indices at which readers go wrong. */
const EDGES = [0, 1, 2, 127, 128, 255, 256, 65_535, 65_536, 2 ** 24, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]

/** A place in something of any length: near its beginning, near its end, or anywhere. */
const place = fc.oneof(fc.integer({ min: 0, max: 63 }), fc.integer({ min: -64, max: -1 }), fc.nat())

function within(at: number, length: number): number {
  if (length === 0) return 0
  return at < 0 ? Math.max(0, length + at) : at % length
}

const changeOfBytes = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: place, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('set' as const), at: place, byte: fc.constantFrom(0, 1, 0x7f, 0x80, 0xfe, 0xff) }),
  fc.record({ kind: fc.constant('word' as const), at: place, word: fc.constantFrom(...EDGES) }),
  fc.record({ kind: fc.constant('fill' as const), at: place, length: fc.nat(64), byte: fc.nat(255) }),
  fc.record({ kind: fc.constant('cut' as const), at: place }),
  fc.record({ kind: fc.constant('remove' as const), at: place, length: fc.integer({ min: 1, max: 64 }) }),
  fc.record({ kind: fc.constant('repeat' as const), at: place, length: fc.integer({ min: 1, max: 64 }) }),
  fc.record({ kind: fc.constant('insert' as const), at: place, bytes: fc.uint8Array({ minLength: 1, maxLength: 16 }) }),
  fc.record({ kind: fc.constant('splice' as const), at: place, other: fc.nat() }),
)
type ChangeOfBytes = typeof changeOfBytes extends fc.Arbitrary<infer T> ? T : never

function changedBytes(bytes: Buffer, change: ChangeOfBytes, examples: readonly Uint8Array[]): Buffer {
  const at = within(change.at, bytes.length)
  const copy = Buffer.from(bytes)
  switch (change.kind) {
    case 'flip':
      if (at < copy.length) copy[at] = (copy[at] as number) ^ (1 << change.bit)
      return copy
    case 'set':
      if (at < copy.length) copy[at] = change.byte
      return copy
    case 'word':
      if (at + 4 <= copy.length) copy.writeUInt32LE(change.word, at)
      return copy
    case 'fill':
      return copy.fill(change.byte, at, Math.min(copy.length, at + change.length))
    case 'cut':
      return copy.subarray(0, at)
    case 'remove':
      return Buffer.concat([copy.subarray(0, at), copy.subarray(at + change.length)])
    case 'repeat':
      return Buffer.concat([copy.subarray(0, at + change.length), copy.subarray(at)])
    case 'insert':
      return Buffer.concat([copy.subarray(0, at), change.bytes, copy.subarray(at)])
    case 'splice': {
      const other = examples[change.other % examples.length] as Uint8Array
      return Buffer.concat([copy.subarray(0, at), other.subarray(Math.min(at, other.length))])
    }
  }
}

/** Examples with bits, lengths and whole stretches changed; and bytes that never were an example. */
export function mutatedBytes(examples: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const changed: fc.Arbitrary<Uint8Array> = fc
    .tuple(fc.nat(examples.length - 1), fc.array(changeOfBytes, { minLength: 1, maxLength: 4 }))
    .map(([example, changes]) =>
      changes.reduce(
        (bytes, change) => changedBytes(bytes, change, examples),
        Buffer.from(examples[example] as Uint8Array) as Buffer,
      ),
    )
  return fc.oneof({ weight: 9, arbitrary: changed }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 512 }) })
}

/** Pieces of text at which parsers go wrong: controls, marks, quotes, lookalikes, names of JavaScript, numbers. */
export const PIECES = [
  '\0',
  '\ufeff',
  '\u2028',
  '\u202e',
  '\u0130',
  '\u212a',
  'е',
  '０',
  '٣',
  '\ud800',
  '\u001b[2J',
  '\r',
  '\n',
  '\r\n',
  '\t',
  ' ',
  '',
  '"',
  "'",
  '""',
  '\\',
  '\\u0000',
  ',',
  ';',
  '|',
  '.',
  '..',
  '-',
  '+',
  '=',
  '#',
  '%',
  '%00',
  '&a ',
  '*a',
  '!!binary ',
  '<<: ',
  '? ',
  '- ',
  ': ',
  '{',
  '}',
  '[',
  ']',
  '[]',
  '{}',
  '|\n',
  '---\n',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'null',
  'true',
  'NaN',
  'Infinity',
  '0',
  '00',
  '-0',
  '1e999',
  '1e-999',
  '0x10',
  '9007199254740993',
  '99999999999999999999',
  '1,234',
  '1.234',
  '2024-13',
  '0000-01',
  '9999-12',
  'other',
  'unknown',
  '*',
] as const

const changeOfText = fc.oneof(
  fc.record({ kind: fc.constant('replace' as const), at: place, length: fc.nat(8), piece: fc.constantFrom(...PIECES) }),
  fc.record({ kind: fc.constant('type' as const), at: place, text: fc.string({ unit: 'binary', maxLength: 4 }) }),
  fc.record({ kind: fc.constant('cut' as const), at: place }),
  fc.record({ kind: fc.constant('remove' as const), at: place, length: fc.integer({ min: 1, max: 40 }) }),
  fc.record({
    kind: fc.constant('repeat' as const),
    at: place,
    length: fc.integer({ min: 1, max: 40 }),
    times: fc.constantFrom(2, 3, 50),
  }),
  fc.record({ kind: fc.constant('line' as const), at: fc.nat(), to: fc.nat() }),
  fc.record({ kind: fc.constant('splice' as const), at: place, other: fc.nat() }),
)
type ChangeOfText = typeof changeOfText extends fc.Arbitrary<infer T> ? T : never

function changedText(text: string, change: ChangeOfText, examples: readonly string[]): string {
  const at = within(change.at, text.length)
  const [before, after] = [text.slice(0, at), text.slice(at)]
  switch (change.kind) {
    case 'replace':
      return before + change.piece + after.slice(change.length)
    case 'type':
      return before + change.text + after
    case 'cut':
      return before
    case 'remove':
      return before + after.slice(change.length)
    case 'repeat':
      return before + after.slice(0, change.length).repeat(change.times) + after.slice(change.length)
    case 'line': {
      const lines = text.split('\n')
      const [moved] = lines.splice(within(change.at, lines.length), 1)
      lines.splice(within(change.to, lines.length + 1), 0, moved as string)
      return lines.join('\n')
    }
    case 'splice': {
      const other = examples[change.other % examples.length] as string
      return before + other.slice(Math.min(at, other.length))
    }
  }
}

/** Examples with pieces put in, taken out, repeated and moved; and text that never was an example. */
export function mutatedText(examples: readonly string[]): fc.Arbitrary<string> {
  const changed = fc
    .tuple(fc.nat(examples.length - 1), fc.array(changeOfText, { minLength: 1, maxLength: 4 }))
    .map(([example, changes]) =>
      changes.reduce((text, change) => changedText(text, change, examples), examples[example] as string),
    )
  const garbage = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(fc.constantFrom(...PIECES), { maxLength: 30 }).map(pieces => pieces.join('')),
  )
  return fc.oneof({ weight: 9, arbitrary: changed }, { weight: 1, arbitrary: garbage })
}

/** Values that stand where another was expected. */
const strange = fc.oneof(
  fc.constantFrom<unknown>(null, true, '', 0, -1, -0, 0.5, 2 ** 53, 1e308, [], {}, [[]], [null]),
  fc.constantFrom(...EDGES),
  fc.constantFrom(...PIECES),
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom('x'.repeat(70_000), '['.repeat(50)),
)
const changeOfJson = fc.record({
  kind: fc.constantFrom('replace', 'remove', 'add', 'rename', 'repeat', 'move', 'wrap', 'text', 'twice'),
  node: fc.nat(),
  other: fc.nat(),
  name: fc.constantFrom('__proto__', 'constructor', 'protocol', 'x', '', 'kind', 'length'),
  value: strange,
  piece: fc.constantFrom(...PIECES),
})
type ChangeOfJson = typeof changeOfJson extends fc.Arbitrary<infer T> ? T : never

interface Place {
  readonly holder: Record<string, unknown> | unknown[]
  readonly key: string
}

/** Every value below `root`, by what holds it. */
function placesIn(root: unknown): Place[] {
  if (typeof root !== 'object' || root === null) return []
  const holder = root as Place['holder']
  return Object.keys(holder).flatMap(key => [{ holder, key }, ...placesIn((holder as Record<string, unknown>)[key])])
}

function define(holder: Place['holder'], key: string, value: unknown): void {
  // An assignment to __proto__ would be something else.
  Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true })
}

/** Changes what is below `document.root`, or that itself. @returns a pair that is to stand once more in the text, if any */
function changedJson(document: { root: unknown }, change: ChangeOfJson): string | undefined {
  const places = placesIn(document)
  const { holder, key } = places[change.node % places.length] as Place
  const value = (holder as Record<string, unknown>)[key]
  // A copy: what one case has changed would be in all that come after it.
  const fresh = copyOf(change.value)
  if (holder === (document as object) && (change.kind === 'remove' || change.kind === 'rename')) return undefined
  switch (change.kind) {
    case 'replace':
      define(holder, key, fresh)
      break
    case 'remove':
      if (Array.isArray(holder)) holder.splice(Number(key), 1)
      else delete holder[key]
      break
    case 'add':
      if (Array.isArray(value)) value.push(fresh)
      else if (typeof value === 'object' && value !== null) define(value as Place['holder'], change.name, fresh)
      break
    case 'rename':
      if (Array.isArray(holder)) break
      delete holder[key]
      define(holder, change.name, value)
      break
    case 'repeat':
      if (Array.isArray(value)) value.push(...value)
      break
    case 'move': {
      const other = places[change.other % places.length] as Place
      // A copy: a value within itself would be a circle.
      define(holder, key, copyOf((other.holder as Record<string, unknown>)[other.key]))
      break
    }
    case 'wrap':
      define(holder, key, [value])
      break
    case 'text':
      if (typeof value === 'string') {
        const at = change.other % (value.length + 1)
        define(holder, key, value.slice(0, at) + change.piece + value.slice(at + (change.node % 2)))
      } else if (typeof value === 'number') define(holder, key, value + (change.node % 2 === 0 ? 1 : -1))
      break
    case 'twice':
      return Array.isArray(holder) ? undefined : `${JSON.stringify(key)}:${JSON.stringify(fresh)}`
  }
  return undefined
}

function copyOf(value: unknown): unknown {
  return value === undefined ? null : JSON.parse(JSON.stringify(value))
}

/** JSON of examples with fields replaced, removed, added, renamed, moved and repeated, as text. */
export function mutatedJson(examples: readonly unknown[]): fc.Arbitrary<string> {
  const changed = fc
    .tuple(fc.nat(examples.length - 1), fc.array(changeOfJson, { minLength: 1, maxLength: 3 }))
    .map(([example, changes]) => {
      const document = { root: copyOf(examples[example]) }
      const twice = changes.flatMap(change => changedJson(document, change) ?? [])
      const text = JSON.stringify(document.root)
      // A key that stands twice: one parser takes the first, another the last.
      return twice.reduce((json, pair) => (json.startsWith('{"') ? `{${pair},${json.slice(1)}` : json), text)
    })
  const texts = examples.map(example => JSON.stringify(example))
  return fc.oneof({ weight: 4, arbitrary: changed }, { weight: 1, arbitrary: mutatedText(texts) })
}
