export type CryptoErrorCode =
  | 'bad-length'
  | 'bad-residue'
  | 'bad-share'
  | 'bad-signature'
  | 'bad-seal'
  | 'cell-too-large'
  | 'sum-not-accepted'
  | 'wrong-passphrase'
  | 'bad-key-file'
  | 'bad-proof'
  | 'bad-checkpoint'
  | 'bad-id-token'

/**
 * The one error class of Inbond. `code` is stable and listed, with its HTTP status and its remedy, in specs/errors.ts;
 * `message` says what is wrong in this instance and never holds a key, a cell or a token.
 */
export class InbondError<Code extends string = string> extends Error {
  override readonly name = 'InbondError'
  readonly code: Code

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export function cryptoError(code: CryptoErrorCode, message: string, cause?: unknown): InbondError<CryptoErrorCode> {
  return new InbondError(code, message, cause === undefined ? undefined : { cause })
}

/** Throws `bad-length` unless `bytes` is exactly `expected` long: every byte string is measured before it is parsed. */
export function expectLength(what: string, bytes: Uint8Array, expected: number): void {
  if (bytes.length !== expected) {
    throw cryptoError('bad-length', `${what} has ${bytes.length} bytes where ${expected} are expected`)
  }
}
