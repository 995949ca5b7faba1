import { z } from 'zod'
import { fault } from '#specs/errors.ts'
import { isReadable } from './loopback.ts'

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
export const coordinates = z.strictObject({
  url: coordinatorUrl,
  federation: z.string(),
  /** Insists on HTTP where it could be read. */
  plainHttp: z.literal(true).optional(),
})
export type Coordinates = Readonly<z.infer<typeof coordinates>>

/** Nothing is sent to a coordinator before this. @throws InbondError `plain-http` */
export function checkEncryption({ url, plainHttp }: Pick<Coordinates, 'url' | 'plainHttp'>): void {
  if (!plainHttp && isReadable(url)) throw fault('plain-http', `requests to ${url} would not be encrypted`)
}

/** What is to be said, and said again, of coordinates that insist. */
export function warningOfPlainHttp({ url }: Pick<Coordinates, 'url'>): string | undefined {
  return isReadable(url) ? `requests to ${url} are not encrypted: whoever is on the way can read them` : undefined
}

/** A federation in one line, as its secretariat publishes it: `URL#FINGERPRINT`. @throws InbondError `bad-option` */
export function parseFederation(line: string): Coordinates {
  const [address, federation, ...more] = line.trim().split('#')
  const url = coordinatorUrl.safeParse(address)
  if (url.success && /^[\w-]{43}$/.test(federation ?? '') && more.length === 0) {
    return { url: url.data, federation: federation as string }
  }
  throw fault('bad-option', 'a federation looks like https://address#fingerprint')
}
