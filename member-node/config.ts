import { z } from 'zod'
import { coordinates } from '#party/coordinates.ts'
import { address } from '#party/listening.ts'
import { conventions, memberId, typedName } from '#specs/messages.ts'

/** config.yaml of a member node. */
export const config = z.strictObject({
  role: z.literal('member'),
  id: memberId,
  name: typedName,
  coordinator: coordinates,
  /** The federation's, in which values are imported. */
  currency: z.string().regex(/^[A-Z]{3}$/),
  /** `open`, `standard`, or the path of a policy file. */
  policy: z.string(),
  /** Where the operator reads metrics; nowhere unless it is said. */
  metrics: address.optional(),
  /** How stewards are told that a question waits. */
  notify: z
    .strictObject({
      webhook: z
        .strictObject({
          url: z.url({ protocol: /^https$/, error: 'must be an address that begins with https://' }),
          /** A file with the secret that signs what is sent. */
          secretFile: z.string(),
        })
        .optional(),
      mail: z
        .strictObject({
          /** Of the mail server, without a password. */
          server: z.url({ protocol: /^smtps?$/, error: 'must be an address that begins with smtps:// or smtp://' }),
          /** A file with the password of the user that stands in the address. */
          passwordFile: z.string().optional(),
          from: z.email(),
          to: z.array(z.email()).min(1),
        })
        .optional(),
    })
    .optional(),
  conventions,
})
export type Config = z.infer<typeof config>
