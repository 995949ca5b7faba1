import { Aggregator, contribute, open, read, smallestNoiseBudget } from '#crypto/one-shot.ts'
import {
  checkCells,
  checkChunk,
  decodeCells,
  encodeCells,
  packShare,
  packWords,
  unpackShare,
  unpackWords,
} from '#crypto/packing.ts'
import { CELLS_PER_CHUNK, CHUNK_BYTES, contributionBound } from '#crypto/parameters.ts'
import { centredBinomial, publicPolynomial, type Randomness, uniformResidues } from '#crypto/sampling.ts'
import { loadSeal, POLYNOMIALS_PER_PAIR, WORDS_PER_POLYNOMIAL } from '#crypto/seal.ts'
import { generateSealingKeyPair, type SealedKind, seal, unseal } from '#crypto/sealing.ts'
import { agrees, deal, interpolate, type Share } from '#crypto/shamir.ts'
import type { CohortId, MemberId, RoundId } from '#specs/messages.ts'
import { openingContext, shareContext } from '#specs/sealed-context.ts'
import { seededRandomness } from '#test/randomness.ts'
import {
  cellsOf,
  type Drawn,
  type LabelledShare,
  type Layers,
  type LogLayer,
  type MessageLayer,
  type Run,
  runsOf,
} from '../layers.ts'

/** The layers of the sum, as the product has them in crypto/ and specs/sealed-context.ts. */

function shareOf({ custodian, share }: LabelledShare): Share {
  return { index: custodian, residues: unpackShare(share) }
}

function randomnessOf(drawn: Drawn): Randomness {
  if (typeof drawn === 'string') return seededRandomness(drawn)
  const requests = drawn.map(bytes => bytes.slice())
  return bytes => {
    const next = requests.shift()
    if (next?.length !== bytes) throw new Error(`no request for ${bytes} bytes was prepared`)
    return next
  }
}

function cellArray(cells: readonly Run[]): BigInt64Array {
  return BigInt64Array.from(cellsOf(cells))
}

function byteView(words: Int32Array | Int8Array | Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
}

/** Adds up whole ciphertexts as the coordinator does, two chunks at a time. */
async function aggregate(ciphertexts: readonly Uint8Array[]): Promise<Uint8Array> {
  using aggregator = new Aggregator(await loadSeal())
  const step = POLYNOMIALS_PER_PAIR * CHUNK_BYTES
  const longest = Math.max(1, ...ciphertexts.map(one => one.length))
  const sums: Uint8Array[] = []
  for (let at = 0; at < longest; at += step) {
    sums.push(aggregator.sum(ciphertexts.map(one => one.subarray(at, at + step))))
  }
  return new Uint8Array(Buffer.concat(sums))
}

export const sumLayers: Omit<Layers, MessageLayer | LogLayer> = {
  'public-polynomial': ({ roundId, chunk }) => {
    const halves = new Uint32Array(2 * WORDS_PER_POLYNOMIAL)
    publicPolynomial(roundId, chunk, halves)
    return { a: packWords(halves) }
  },
  'centred-binomial': ({ randomness }) => ({ coefficients: byteView(centredBinomial(randomnessOf(randomness))) }),
  'uniform-residues': ({ randomness }) => ({ residues: byteView(uniformResidues(randomnessOf(randomness))) }),
  'pack-chunk': ({ words }) => {
    const all = new BigUint64Array(WORDS_PER_POLYNOMIAL)
    for (const [at, word] of words) all[at] = BigInt(word)
    return { chunk: packWords(new Uint32Array(all.buffer)) }
  },
  'unpack-chunk': ({ chunk }) => {
    checkChunk(chunk)
    const halves = new Uint32Array(2 * WORDS_PER_POLYNOMIAL)
    unpackWords(chunk, halves)
    return { words: byteView(halves) }
  },
  'pack-share': ({ residues }) => {
    const all = new Int32Array(CELLS_PER_CHUNK)
    for (const [at, residue] of residues) all[at] = residue
    return { share: packShare(all) }
  },
  'unpack-share': ({ share }) => ({ residues: byteView(unpackShare(share)) }),
  'cell-bound': ({ roster }) => ({ bound: String(contributionBound(roster)) }),
  'check-cells': ({ roster, cells }) => {
    checkCells(cellArray(cells), contributionBound(roster))
    return {}
  },
  'encode-cells': ({ cells }) => ({ residues: runsOf(new BigUint64Array(encodeCells(cellArray(cells)).buffer)) }),
  'decode-cells': ({ residues }) => {
    const words = BigUint64Array.from(cellsOf(residues))
    return { cells: runsOf(decodeCells(new Uint32Array(words.buffer))) }
  },
  deal: ({ key, threshold, custodians, randomness }) => {
    const secret = new Int8Array(key)
    const dealt = deal(secret, threshold, custodians, randomnessOf(randomness))
    return { shares: dealt.map(share => packShare(share.residues)) }
  },
  interpolate: ({ shares }) => ({ key: byteView(interpolate(shares.map(shareOf))) }),
  agrees: ({ shares, other }) => ({
    agrees: agrees(shares.map(shareOf), shareOf(other)),
  }),
  contribute: async ({ roundId, roster, threshold, custodians, cells, randomness }) => {
    const dealing = {
      roundId: roundId,
      bound: contributionBound(roster),
      threshold: threshold,
      custodians: custodians,
    }
    const own = cellArray(cells)
    const { ciphertext, shares } = contribute(await loadSeal(), dealing, own, randomnessOf(randomness))
    return {
      ciphertext: new Uint8Array(Buffer.concat([...ciphertext])),
      shares: shares.map(share => packShare(share.residues)),
    }
  },
  aggregate: async ({ ciphertexts }) => ({ sum: await aggregate(ciphertexts) }),
  open: ({ custodian, shares }) => ({
    opening: packShare(open(custodian, shares.map(shareOf)).residues),
  }),
  'smallest-budget': ({ contributors }) => ({ budget: smallestNoiseBudget(contributors) }),
  read: async ({ roundId, sum, openings, threshold, contributors }) => {
    const { cells, disagreeing } = read(await loadSeal(), {
      roundId: roundId,
      sum: sum,
      openings: openings.map(shareOf),
      threshold: threshold,
      contributors: contributors,
    })
    return { cells: runsOf(cells), disagreeing: [...disagreeing] }
  },
  'sealing-key': async ({ randomness }) => ({ ...(await generateSealingKeyPair(randomnessOf(randomness))) }),
  'share-context': ({ round, dealer, custodian, prekey, ciphertext }) => ({
    context: shareContext({
      round: round as RoundId,
      dealer: dealer as MemberId,
      custodian: custodian as MemberId,
      prekey: prekey,
      ciphertext: ciphertext,
    }),
  }),
  'opening-context': ({ round, cohort, custodian }) => ({
    context: openingContext({
      round: round as RoundId,
      cohort: cohort as CohortId,
      custodian: custodian as MemberId,
    }),
  }),
  seal: async ({ kind, publicKey, context, content, randomness }) => ({
    sealed: await seal(kind as SealedKind, publicKey, context, content, randomnessOf(randomness)),
  }),
  unseal: async ({ kind, privateKey, context, sealed }) => ({
    content: await unseal(kind as SealedKind, privateKey, context, sealed),
  }),
}
