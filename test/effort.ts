/**
 * How hard generated tests try: a little in the normal run, much in the long one (`npm run test:long`); and the seed from which
 * they draw, which is printed where one fails and can be given again: `INBOND_TEST_SEED=123 npx vitest run …`.
 */

const { INBOND_TEST_EFFORT, INBOND_TEST_SEED } = process.env

export const isLong = INBOND_TEST_EFFORT === 'long'

/** One of two sizes of the same test. */
export function effort<T>(normal: T, long: T): T {
  return isLong ? long : normal
}

/** So many of many cases, other ones from each seed; all of them in the long run. */
export function some<T>(cases: readonly T[], normal: number): readonly T[] {
  const start = Math.abs(seed) % cases.length
  return isLong ? cases : [...cases.slice(start), ...cases.slice(0, start)].slice(0, normal)
}

/** Of this run: a 32-bit integer. */
export const seed = INBOND_TEST_SEED === undefined ? (Date.now() ^ (process.pid << 16)) | 0 : Number(INBOND_TEST_SEED)
