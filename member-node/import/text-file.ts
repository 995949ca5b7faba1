import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { TextDecoder } from 'node:util'
import { InbondError } from '#crypto/error.ts'
import { unreadable } from '#party/system-errors.ts'

const PIECE = 1 << 18

export interface Inspection {
  /** Of the file's bytes, in hexadecimal. */
  readonly sha256: string
  /** Size of the file. */
  readonly bytes: number
  /** The first piece of the file. */
  readonly head: Buffer
  readonly isUtf8: boolean
}

/** Reads a whole file once. @throws InbondError `file-not-readable` */
export function inspect(path: string): Inspection {
  const hash = createHash('sha256')
  const utf8 = new TextDecoder('utf-8', { fatal: true })
  let isUtf8 = true
  let bytes = 0
  let head: Buffer = Buffer.alloc(0)
  for (const piece of bytesOf(path)) {
    if (bytes === 0) head = Buffer.from(piece)
    bytes += piece.length
    hash.update(piece)
    try {
      if (isUtf8) utf8.decode(piece, { stream: true })
    } catch {
      isUtf8 = false
    }
  }
  try {
    if (isUtf8) utf8.decode()
  } catch {
    isUtf8 = false
  }
  return { sha256: hash.digest('hex'), bytes, head, isUtf8 }
}

const MARKS = [
  ['utf-8', 'efbbbf'],
  ['utf-16le', 'fffe'],
  ['utf-16be', 'feff'],
] as const

/**
 * How a file's text is encoded: as it was told, by a byte order mark, UTF-8 if it is valid, else windows-1252 with a notice.
 * @throws InbondError `bad-file` (no text), `bad-mapping` (no such encoding)
 */
export function findEncoding({ head, isUtf8 }: Inspection, told?: string): { encoding: string; notice?: string } {
  if (told !== undefined) return { encoding: decoder(told).encoding }
  const start = head.subarray(0, 4).toString('hex')
  if (start.startsWith('504b0304') || start.startsWith('d0cf11e0')) {
    throw new InbondError('bad-file', 'the file is a spreadsheet or an archive, not text; save it as CSV (UTF-8)')
  }
  if (start.startsWith('1f8b')) throw new InbondError('bad-file', 'the file is compressed; unpack it first')
  const marked = MARKS.find(([, mark]) => start.startsWith(mark))
  if (marked) return { encoding: marked[0] }
  if (head.includes(0)) throw new InbondError('bad-file', 'the file has bytes of value 0, so its encoding is not clear')
  if (isUtf8) return { encoding: 'utf-8' }
  return {
    encoding: 'windows-1252',
    notice: 'the file is not valid UTF-8 and was read as windows-1252; if letters look wrong, say encoding: in the map',
  }
}

function decoder(label: string): TextDecoder {
  try {
    return new TextDecoder(label, { fatal: true })
  } catch (cause) {
    throw new InbondError('bad-mapping', `"${label}" is not an encoding that can be read`, { cause })
  }
}

function* bytesOf(path: string): Generator<Buffer> {
  const file = readable(path, () => openSync(path, 'r'))
  try {
    const buffer = Buffer.alloc(PIECE)
    for (;;) {
      const length = readable(path, () => readSync(file, buffer))
      if (length === 0) return
      yield buffer.subarray(0, length)
    }
  } finally {
    closeSync(file)
  }
}

function readable<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new InbondError('file-not-readable', unreadable(path, cause), { cause })
  }
}

/** A file's text, piece by piece. @throws InbondError `file-not-readable`, `bad-file` */
export function* textOf(path: string, encoding: string, progress?: (bytesRead: number) => void): Generator<string> {
  const text = decoder(encoding)
  let read = 0
  const decode = (...input: Parameters<TextDecoder['decode']>) => {
    try {
      return text.decode(...input)
    } catch (cause) {
      throw new InbondError('bad-file', `the file is not valid ${encoding} near byte ${read}`, { cause })
    }
  }
  for (const piece of bytesOf(path)) {
    const decoded = decode(piece, { stream: true })
    read += piece.length
    progress?.(read)
    yield decoded
  }
  yield decode()
}
