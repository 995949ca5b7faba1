import { type Source, uniformResidues } from './drawing.ts'
import { centred, mod, n, p, power, Refusal } from './parameters.ts'

/** Shares of a key: "Contribute", "Open" and "Read" of specs/one-shot-sum.md. */

export interface Share {
  /** x, the custodian's number. */
  readonly custodian: number
  readonly residues: readonly bigint[]
}

export function checkCustodians(numbers: readonly number[]): void {
  for (const x of numbers) {
    if (!Number.isInteger(x) || x < 1 || BigInt(x) >= p) throw new Refusal('bad-share', `custodian number ${x}`)
  }
  if (new Set(numbers).size !== numbers.length) throw new Refusal('bad-share', 'a custodian number comes twice')
}

/** f(x) = k + r₁x + … + r_{τ-1}x^{τ-1} for each custodian number x. */
export function deal(
  key: readonly bigint[],
  threshold: number,
  custodians: readonly number[],
  source: Source,
): Share[] {
  checkCustodians(custodians)
  if (!Number.isInteger(threshold) || threshold < 2 || threshold > custodians.length) {
    throw new Refusal('bad-share', `a threshold of ${threshold} of ${custodians.length}`)
  }
  const polynomial = [key, ...Array.from({ length: threshold - 1 }, () => uniformResidues(source))]
  return custodians.map(custodian => ({
    custodian,
    residues: key.map((_, i) =>
      mod(
        polynomial.reduceRight((value, r) => value * BigInt(custodian) + (r[i] as bigint), 0n),
        p,
      ),
    ),
  }))
}

/** F(x) = Σ f_j(x): what one custodian sends. */
export function open(custodian: number, shares: readonly Share[]): Share {
  checkCustodians([custodian])
  if (shares.some(share => share.custodian !== custodian)) throw new Refusal('bad-share', 'shares of two custodians')
  const residues = Array.from({ length: n }, (_, i) =>
    mod(
      shares.reduce((sum, share) => sum + (share.residues[i] as bigint), 0n),
      p,
    ),
  )
  return { custodian, residues }
}

/** The value at `point` of the polynomial that passes through the shares, coefficient by coefficient. */
function valueAt(point: number, shares: readonly Share[]): bigint[] {
  const numbers = shares.map(share => share.custodian)
  const weights = numbers.map(x => {
    const others = numbers.filter(y => y !== x)
    const above = others.reduce((product, y) => mod(product * BigInt(point - y), p), 1n)
    const below = others.reduce((product, y) => mod(product * BigInt(x - y), p), 1n)
    return mod(above * power(below, p - 2n, p), p)
  })
  return Array.from({ length: n }, (_, i) =>
    mod(
      shares.reduce((sum, share, s) => sum + (weights[s] as bigint) * (share.residues[i] as bigint), 0n),
      p,
    ),
  )
}

/** The value at 0, centred: the key. */
export function interpolate(shares: readonly Share[]): bigint[] {
  checkCustodians(shares.map(share => share.custodian))
  return valueAt(0, shares).map(value => centred(value, p))
}

/** Whether another share is on the polynomial of these, in every coefficient. */
export function agrees(shares: readonly Share[], other: Share): boolean {
  return valueAt(other.custodian, shares).every((value, i) => value === other.residues[i])
}
