import {
  cellsOf,
  type Drawn,
  type LabelledShare,
  type Layers,
  type LogLayer,
  type MessageLayer,
  runsOf,
} from '../layers.ts'
import { centredBinomial, fromRequests, fromSeed, publicPolynomial, type Source, uniformResidues } from './drawing.ts'
import * as packing from './packing.ts'
import { n, type RingElement } from './parameters.ts'
import * as sealing from './sealing.ts'
import { agrees, deal, interpolate, open, type Share } from './sharing.ts'
import { aggregate, contribute, read, smallestBudget } from './sum.ts'

/** The layers of the sum, as the second reader has them. */

function sourceOf(drawn: Drawn): Source {
  return typeof drawn === 'string' ? fromSeed(drawn) : fromRequests(drawn)
}

function shareOf({ custodian, share }: LabelledShare): Share {
  return { custodian, residues: packing.unpackShare(share) }
}

/** Integers of any sign, little endian, in two's complement. */
function littleEndian(values: readonly bigint[], bytes: 1 | 4 | 8): Uint8Array {
  const digits = values.flatMap(value =>
    Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * i)) & 255n)),
  )
  return Uint8Array.from(digits)
}

function signed(bytes: Uint8Array): bigint[] {
  return [...bytes].map(byte => BigInt(byte > 127 ? byte - 256 : byte))
}

function filled(places: readonly (readonly [number, number])[], length: number): bigint[] {
  const values = new Array<bigint>(length).fill(0n)
  for (const [at, value] of places) values[at] = BigInt(value)
  return values
}

function packAll(shares: readonly Share[]): Uint8Array[] {
  return shares.map(share => packing.packShare(share.residues))
}

export const sumLayers: Omit<Layers, MessageLayer | LogLayer> = {
  'public-polynomial': ({ roundId, chunk }) => ({ a: packing.packChunk(publicPolynomial(roundId, chunk)) }),
  'centred-binomial': ({ randomness }) => ({ coefficients: littleEndian(centredBinomial(sourceOf(randomness)), 1) }),
  'uniform-residues': ({ randomness }) => ({ residues: littleEndian(uniformResidues(sourceOf(randomness)), 4) }),
  'pack-chunk': ({ words }) => {
    const all = filled(words, 2 * n)
    const element: RingElement = [all.slice(0, n), all.slice(n)]
    return { chunk: packing.packChunk(element) }
  },
  'unpack-chunk': ({ chunk }) => ({ words: littleEndian(packing.unpackChunk(chunk).flat(), 8) }),
  'pack-share': ({ residues }) => ({ share: packing.packShare(filled(residues, n)) }),
  'unpack-share': ({ share }) => ({ residues: littleEndian(packing.unpackShare(share), 4) }),
  'cell-bound': ({ roster }) => ({ bound: String(packing.cellBound(roster)) }),
  'check-cells': ({ roster, cells }) => {
    packing.checkCells(cellsOf(cells), roster)
    return {}
  },
  'encode-cells': ({ cells }) => ({ residues: runsOf(packing.encodeCells(filledUp(cellsOf(cells)))) }),
  'decode-cells': ({ residues }) => ({ cells: runsOf(packing.decodeCells(cellsOf(residues))) }),
  deal: ({ key, threshold, custodians, randomness }) => ({
    shares: packAll(deal(signed(key), threshold, custodians, sourceOf(randomness))),
  }),
  interpolate: ({ shares }) => ({ key: littleEndian(interpolate(shares.map(shareOf)), 4) }),
  agrees: ({ shares, other }) => ({ agrees: agrees(shares.map(shareOf), shareOf(other)) }),
  contribute: ({ cells, randomness, ...dealing }) => {
    const { ciphertext, shares } = contribute(dealing, cellsOf(cells), sourceOf(randomness))
    return { ciphertext, shares: packAll(shares) }
  },
  aggregate: ({ ciphertexts }) => ({ sum: aggregate(ciphertexts) }),
  open: ({ custodian, shares }) => ({ opening: packing.packShare(open(custodian, shares.map(shareOf)).residues) }),
  'smallest-budget': ({ contributors }) => ({ budget: smallestBudget(contributors) }),
  read: sealed => {
    const { cells, disagreeing } = read({ ...sealed, openings: sealed.openings.map(shareOf) })
    return { cells: runsOf(cells), disagreeing }
  },
  'sealing-key': ({ randomness }) => ({ ...sealing.keyPair(sourceOf(randomness)) }),
  'share-context': of => ({ context: sealing.shareContext(of) }),
  'opening-context': of => ({ context: sealing.openingContext(of) }),
  seal: ({ kind, publicKey, context, content, randomness }) => ({
    sealed: sealing.seal(kind, publicKey, context, content, sourceOf(randomness)),
  }),
  unseal: ({ kind, privateKey, context, sealed }) => ({ content: sealing.unseal(kind, privateKey, context, sealed) }),
}

/** The last chunk is filled up with zeros. */
function filledUp(cells: readonly bigint[]): bigint[] {
  return Array.from({ length: n }, (_, i) => cells[i] ?? 0n)
}
