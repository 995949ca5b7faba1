import { z } from 'zod'
import { fault } from '#specs/errors.ts'

const NO_ADDRESS = 'an address begins with http:// or https://, and has neither a user, nor a query, nor a fragment'

/**
 * Where a coordinator is reached, as paths are appended to it: an http or https URL in the form that the URL standard gives it, without
 * a slash at its end. Control characters are refused, because a URL's parser drops them at its end and not before a path.
 */
export const coordinatorUrl = z
  .string()
  .regex(/^https?:\/\/[^\s\p{Cc}?#]+$/iu, NO_ADDRESS)
  .transform((text, context) => {
    const url = URL.parse(text)
    if (url?.username === '' && url.password === '') return url.href.replace(/\/+$/, '')
    context.addIssue(NO_ADDRESS)
    return z.NEVER
  })

/** Where a coordinator is reached, and the fingerprint of its key, by which it is known. */
export const coordinates = z.strictObject({ url: coordinatorUrl, federation: z.string() })
export type Coordinates = Readonly<z.infer<typeof coordinates>>

/** A federation in one line, as its secretariat publishes it: `URL#FINGERPRINT`. @throws InbondError `bad-option` */
export function parseFederation(line: string): Coordinates {
  const [address, federation, ...more] = line.trim().split('#')
  const url = coordinatorUrl.safeParse(address)
  if (url.success && /^[\w-]{43}$/.test(federation ?? '') && more.length === 0) {
    return { url: url.data, federation: federation as string }
  }
  throw fault('bad-option', 'a federation looks like https://address#fingerprint')
}
