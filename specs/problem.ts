import { InbondError } from '#crypto/error.ts'
import { type ErrorCode, fault, statuses } from './errors.ts'
import { inOneLine } from './printable.ts'
import { remedies } from './remedies.ts'

/** Characters of what is wrong in one instance. */
export const LONGEST_DETAIL = 2000

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(statuses, code)
}

export function statusOf(code: string): number {
  return isErrorCode(code) ? statuses[code] : 500
}

/** What to do about an error, in one sentence. */
export function remedyOf(code: string): string {
  return remedies.en[isErrorCode(code) ? code : 'internal-error']
}

/** An error as an RFC 9457 problem. An error that is not Inbond's own says nothing of its cause to a stranger. */
export function problemOf(error: unknown) {
  const known =
    error instanceof InbondError ? error : fault('internal-error', 'something went wrong that should not have')
  return {
    type: `urn:inbond:error:${known.code}`,
    title: known.code.replaceAll('-', ' '),
    status: statusOf(known.code),
    detail: inOneLine(known.message, LONGEST_DETAIL),
    code: known.code,
    remedy: remedyOf(known.code),
  }
}
