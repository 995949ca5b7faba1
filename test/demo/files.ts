import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Administration, mapOf } from './administrations.ts'
import { declarations } from './generator.ts'
import type { Layout, Sheet } from './layouts/layout.ts'

/** A file as an administration would import it. */
export interface Delivery {
  readonly member: string
  /** Paths. */
  readonly file: string
  readonly map: string
  readonly records: number
  readonly bytes: number
}

const PIECE = 1 << 18

/** Generates an administration's declarations and writes them into `folder`, in its own layout. */
export function writeDeclarations(
  folder: string,
  administration: Administration,
  records: number = administration.records,
): Delivery[] {
  const { member, economy, layout } = administration
  mkdirSync(folder, { recursive: true })
  const files = layout.sheets.map(sheet => ({ sheet, file: new SheetFile(folder, layout, sheet) }))
  for (const declaration of declarations(economy, records)) {
    const target = files.find(({ sheet }) => sheet.flows?.includes(declaration.flow) ?? true)
    target?.file.line(target.sheet.cells(declaration))
  }
  return files.map(({ sheet, file }) => ({ member, map: fileURLToPath(mapOf(sheet)), ...file.close() }))
}

class SheetFile {
  readonly #path: string
  readonly #layout: Layout
  readonly #file: number
  #pending = ''
  #lines = 0
  #bytes = 0

  constructor(folder: string, layout: Layout, sheet: Sheet) {
    this.#path = join(folder, `${sheet.name}.csv`)
    this.#layout = layout
    this.#file = openSync(this.#path, 'w')
    if (layout.byteOrderMark) this.#pending = '\ufeff'
    this.line(sheet.header)
  }

  line(cells: readonly string[]): void {
    this.#pending += cells.join(this.#layout.delimiter) + this.#layout.newline
    this.#lines++
    if (this.#pending.length >= PIECE) this.#write()
  }

  close(): { file: string; records: number; bytes: number } {
    this.#write()
    closeSync(this.#file)
    return { file: this.#path, records: this.#lines - 1, bytes: this.#bytes }
  }

  #write(): void {
    const bytes = this.#layout.encoding === 'utf-8' ? Buffer.from(this.#pending) : windows1252(this.#pending)
    writeSync(this.#file, bytes)
    this.#bytes += bytes.length
    this.#pending = ''
  }
}

/** Latin 1, and the one other character that the layouts have. */
function windows1252(text: string): Buffer {
  return Buffer.from(text.replaceAll('–', '\u0096'), 'latin1')
}
