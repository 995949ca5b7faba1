/** What the coordinator's worker thread is asked to do. */
export interface AggregationTask {
  /** Stored contributions of the cohort, and where the ciphertext begins in each. */
  readonly contributions: readonly { readonly path: string; readonly offset: number }[]
  readonly chunks: number
  /** Where the packed sum goes. */
  readonly output: string
}

/** Adds up a cohort's ciphertexts. Returns the SHA-256 of the sum, in hex. */
export type Aggregate = (task: AggregationTask) => Promise<string>
