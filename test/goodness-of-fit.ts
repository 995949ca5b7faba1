/** Pearson's test of fit, for what is drawn from known distributions. */

/** Pearson's statistic. */
export function chiSquare(observed: readonly number[], expected: readonly number[]): number {
  return observed.reduce((sum, count, i) => sum + (count - (expected[i] as number)) ** 2 / (expected[i] as number), 0)
}

/** Of 0 to `coins` heads among so many fair coins. */
export function binomialProbabilities(coins: number): number[] {
  const logs = [-coins * Math.LN2]
  for (let i = 1; i <= coins; i++) logs.push((logs[i - 1] as number) + Math.log((coins - i + 1) / i))
  return logs.map(Math.exp)
}

/**
 * Whether values fit the exact distribution of `coins` fair coins, centred; values that are expected fewer than 5 times count as one.
 * @param deviations how far the statistic may lie above its mean, in standard deviations of the normal distribution that it is
 * near to: 3.09 is passed with probability 0.1 %, 6 with one in a billion
 */
export function expectCentredBinomial(values: Iterable<number>, coins: number, deviations: number): void {
  const observed = new Array<number>(coins + 1).fill(0)
  let samples = 0
  for (const value of values) {
    const heads = value + coins / 2
    if (!Number.isInteger(heads) || heads < 0 || heads > coins) throw new Error(`${value} is not in the distribution`)
    observed[heads] = (observed[heads] as number) + 1
    samples++
  }
  const expected = binomialProbabilities(coins).map(probability => probability * samples)
  const common = expected.map((_, i) => i).filter(i => (expected[i] as number) >= 5)
  const sum = (counts: readonly number[]) => common.reduce((total, i) => total + (counts[i] as number), 0)
  const statistic = chiSquare(
    [...common.map(i => observed[i] as number), samples - sum(observed)],
    [...common.map(i => expected[i] as number), samples - sum(expected)],
  )
  const limit = quantile(common.length, deviations)
  if (!(common.length > 10)) throw new Error(`${samples} samples are too few`)
  if (statistic > limit) throw new Error(`chi-square is ${statistic}, above ${limit}, at ${common.length} degrees`)
}

/** Wilson and Hilferty's approximation of a quantile of the chi-square distribution (PNAS 17, 1931). */
export function quantile(degrees: number, deviations: number): number {
  const spread = 2 / (9 * degrees)
  return degrees * (1 - spread + deviations * Math.sqrt(spread)) ** 3
}
