import { type CryptoErrorCode, InbondError } from '#crypto/error.ts'

/**
 * Every error code, with the HTTP status it travels under. Codes are stable; programs may rely on them. What a person
 * should do about each stands, by language, in remedies.ts; how an error travels, in problem.ts.
 */
export const statuses = {
  // What was sent is not what it should be.
  'bad-length': 400,
  'bad-residue': 400,
  'bad-share': 400,
  'bad-signature': 400,
  'bad-seal': 400,
  'bad-message': 400,
  'bad-body': 400,
  'bad-request': 400,
  'truncated-body': 400,
  'bad-query': 422,
  'unknown-dataset': 422,
  'too-many-slots': 422,
  'upgrade-needed': 426,
  // Who sent it may not, or not now.
  'bad-token': 401,
  'clock-skew': 401,
  'not-allowed': 403,
  'not-on-roster': 403,
  'not-sponsored': 403,
  'researcher-revoked': 403,
  'bad-invitation': 403,
  'not-found': 404,
  'wrong-federation': 409,
  'already-enrolled': 409,
  'differs-from-stored': 409,
  'too-late': 409,
  'no-charter': 409,
  'charter-pending': 409,
  'bad-charter': 422,
  'bad-certificate': 422,
  'bad-id-token': 422,
  'login-failed': 403,
  'bad-round': 422,
  'bad-cohort': 422,
  'exposes-members': 422,
  'query-expired': 409,
  'prekey-used': 409,
  'too-large': 413,
  'too-many-requests': 429,
  'out-of-space': 507,
  'database-busy': 503,
  'database-damaged': 500,
  'internal-error': 500,
  'shutting-down': 503,
  // What happens inside a party.
  'cell-too-large': 422,
  'sum-not-accepted': 422,
  'bad-evidence': 422,
  'not-a-release': 422,
  'bad-release': 422,
  'bad-proof': 422,
  'bad-checkpoint': 422,
  'log-not-extended': 422,
  'policy-refused': 403,
  'records-changed': 409,
  'round-void': 409,
  'coordinator-unreachable': 503,
  'bad-answer': 502,
  // On a party's own machine.
  'wrong-passphrase': 401,
  'bad-key-file': 422,
  'not-initialised': 404,
  'already-initialised': 409,
  'already-running': 409,
  'bad-config': 422,
  'bad-tls-certificate': 422,
  'plain-http': 422,
  'bad-option': 422,
  'not-confirmed': 409,
  'file-not-readable': 404,
  'not-writable': 403,
  'address-in-use': 409,
  'bad-mapping': 422,
  'bad-file': 422,
  'column-not-found': 422,
  'already-imported': 409,
  'ambiguous-decimal': 422,
  'currency-not-supported': 422,
  'nothing-loaded': 422,
  'warehouse-busy': 409,
  'warehouse-outdated': 409,
  'bad-policy': 422,
  'notice-not-taken': 502,
  'newer-database': 409,
  'bad-backup': 422,
} as const satisfies Record<CryptoErrorCode, number> & Record<string, number>

export type ErrorCode = keyof typeof statuses

export const errorCodes = Object.keys(statuses) as ErrorCode[]

export function fault(code: ErrorCode, message: string, cause?: unknown): InbondError<ErrorCode> {
  return new InbondError(code, message, cause === undefined ? undefined : { cause })
}
