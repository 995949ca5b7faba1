import { createHash } from 'node:crypto'
import type { Value } from './format.ts'

/**
 * The layers that vectors are about, each with its input. The product and the second reader both have them all; what each does is
 * written in specs/vectors/README.md.
 */

/** Decimal digits, because cells have 60 bits, and how many equal ones follow one another. */
export type Run = readonly [value: string, times: number]

/** A seed, or the bytes of each request in turn. */
export type Drawn = string | readonly Uint8Array[]

export interface LabelledShare {
  readonly custodian: number
  readonly share: Uint8Array
}

type Sparse = readonly (readonly [at: number, value: number])[]

interface RoundInput {
  /** Of the charter's coordinator. */
  readonly coordinator: string
  readonly charter: string
  readonly query: string
  readonly round: string
}

export interface Inputs {
  'public-polynomial': { roundId: Uint8Array; chunk: number }
  'centred-binomial': { randomness: Drawn }
  'uniform-residues': { randomness: Drawn }

  'pack-chunk': { words: Sparse }
  'unpack-chunk': { chunk: Uint8Array }
  'pack-share': { residues: Sparse }
  'unpack-share': { share: Uint8Array }
  'cell-bound': { roster: number }
  'check-cells': { roster: number; cells: readonly Run[] }
  'encode-cells': { cells: readonly Run[] }
  'decode-cells': { residues: readonly Run[] }

  deal: { key: Uint8Array; threshold: number; custodians: readonly number[]; randomness: Drawn }
  interpolate: { shares: readonly LabelledShare[] }
  agrees: { shares: readonly LabelledShare[]; other: LabelledShare }

  contribute: {
    roundId: Uint8Array
    roster: number
    threshold: number
    custodians: readonly number[]
    cells: readonly Run[]
    randomness: Drawn
  }
  'take-contribution': RoundInput & { member: string; publicKey: string; slots: number; body: Uint8Array }

  aggregate: { ciphertexts: readonly Uint8Array[] }
  'add-up-again': {
    contributions: readonly { member: string; ciphertext: Uint8Array; hash: string }[]
    sum: Uint8Array
  }
  open: { custodian: number; shares: readonly LabelledShare[] }

  'smallest-budget': { contributors: number }
  read: {
    roundId: Uint8Array
    sum: Uint8Array
    openings: readonly LabelledShare[]
    threshold: number
    contributors: number
  }

  'sealing-key': { randomness: Drawn }
  'share-context': { round: string; dealer: string; custodian: string; prekey: string; ciphertext: string }
  'opening-context': { round: string; cohort: string; custodian: string }
  seal: { kind: string; publicKey: Uint8Array; context: string; content: Uint8Array; randomness: Drawn }
  unseal: { kind: string; privateKey: Uint8Array; context: string; sealed: Uint8Array }

  fingerprint: { publicKey: string }
  sign: { privateKey: string; publicKey: string; typ: string; payload: string }
  verify: { publicKey: string; typ: string; message: string }

  'verify-charter': { coordinator: string; charter: string }
  'verify-round': RoundInput & { at: string }
  'record-rounds': Omit<RoundInput, 'query' | 'round'> & {
    rounds: readonly { query: string; round: string }[]
    at: string
  }
  'verify-cohort': RoundInput & { cohort: string }
  /** A manifest, and the cohort that names it. */
  'verify-manifest': RoundInput & { evidence: readonly [manifest: string, cohort: string]; slots: number }
  'verify-agreements': RoundInput & { cohort: string; agreements: readonly string[] }
  draw: { revealed: Uint8Array; sum: string; custodians: readonly string[] }

  /** Of so many entries: see `entryOf`. */
  'log-head': { entries: number }
  'inclusion-proof': { entries: number; index: number }
  'consistency-proof': { entries: number; earlier: number }
  'verify-inclusion': { entry: Uint8Array; index: number; hashes: readonly string[]; size: number; root: string }
  'verify-consistency': { earlier: Head; later: Head; hashes: readonly string[] }
  'sign-checkpoint': { privateKey: string; publicKey: string; size: number; root: string }
  'verify-checkpoint': { publicKey: string; checkpoint: string }
  tile: { entries: number; path: string }
  'read-entries': { bundle: Uint8Array; width: number }
}

interface Head {
  readonly size: number
  readonly root: string
}

export type LayerName = keyof Inputs

/** What a reader makes of the input of each layer; it throws an error with a `code` if it refuses. */
export type Layers = { readonly [Name in LayerName]: (input: Inputs[Name]) => Value | Promise<Value> }

/** The layers that are about messages; the others are about the log and the sum. */
export type MessageLayer =
  | 'take-contribution'
  | 'add-up-again'
  | 'fingerprint'
  | 'sign'
  | 'verify'
  | 'verify-charter'
  | 'verify-round'
  | 'record-rounds'
  | 'verify-cohort'
  | 'verify-manifest'
  | 'verify-agreements'
  | 'draw'

/** The layers that are about the log. */
export type LogLayer =
  | 'log-head'
  | 'inclusion-proof'
  | 'consistency-proof'
  | 'verify-inclusion'
  | 'verify-consistency'
  | 'sign-checkpoint'
  | 'verify-checkpoint'
  | 'tile'
  | 'read-entries'

/** Entry i of the logs in the vectors: a manifest whose id is the SHA-256 of i in decimal digits. */
export function entryOf(i: number): { typ: string; message: string } {
  return { typ: 'inbond-manifest', message: createHash('sha256').update(String(i)).digest('hex') }
}

export function cellsOf(runs: readonly Run[]): bigint[] {
  return runs.flatMap(([value, times]) => new Array<bigint>(times).fill(BigInt(value)))
}

export function runsOf(cells: Iterable<bigint>): Run[] {
  const runs: [string, number][] = []
  for (const cell of cells) {
    const last = runs.at(-1)
    if (last?.[0] === String(cell)) last[1]++
    else runs.push([String(cell), 1])
  }
  return runs
}
