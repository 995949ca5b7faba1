import { z } from 'zod'
import { coordinatorUrl } from '#party/coordinates.ts'
import { address } from '#party/listening.ts'
import { typedName } from '#specs/messages.ts'

/** config.yaml of a coordinator. */
export const config = z.strictObject({
  role: z.literal('coordinator'),
  name: typedName,
  currency: z.string().regex(/^[A-Z]{3}$/, 'a currency is three capital letters, such as USD'),
  host: z.string(),
  port: z.number().int().min(1).max(65535),
  /** Where members and researchers reach it; a proxy's address, where there is one. */
  url: coordinatorUrl,
  /** Where the operator reads metrics; nowhere unless it is said. */
  metrics: address.optional(),
})
export type Config = z.infer<typeof config>
