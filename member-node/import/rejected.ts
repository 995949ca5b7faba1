import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { basename, extname, join } from 'node:path'
import Papa from 'papaparse'
import type { Csv, CsvRecord } from './csv.ts'

export interface Rejection {
  readonly line: number
  readonly reason: string
}

/** How many rejections a report names itself. */
const NAMED = 20

/** The rejected records of an import: the first by line and reason, and all of them in a CSV file, to be corrected. */
export class RejectedRows {
  readonly first: Rejection[] = []
  count = 0
  /** Where they are written; undefined as long as there are none. */
  path: string | undefined
  readonly #folder: string
  readonly #source: string
  readonly #csv: Csv
  #file: number | undefined

  constructor(folder: string, source: string, csv: Csv) {
    this.#folder = folder
    this.#source = source
    this.#csv = csv
  }

  add({ line, cells }: CsvRecord, reason: string): void {
    this.count++
    if (this.first.length < NAMED) this.first.push({ line, reason })
    this.#write([String(line), reason, ...cells])
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  /** The rows are the administration's records: readable by the owner alone. */
  #write(cells: readonly string[]): void {
    if (this.#file === undefined) {
      const name = basename(this.#source, extname(this.#source))
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
      this.path = join(this.#folder, `${name}.${this.#csv.sha256.slice(0, 12)}.rejected.csv`)
      this.#file = openSync(this.path, 'w', 0o600)
      this.#write(['line', 'reason', ...this.#csv.header])
    }
    writeSync(this.#file, `${Papa.unparse([[...cells]], { delimiter: this.#csv.delimiter })}\r\n`)
  }
}
