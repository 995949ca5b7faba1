import { z } from 'zod'
import { partyName } from '#specs/messages.ts'

/** config.yaml of a researcher. */
export const config = z.strictObject({
  role: z.literal('researcher'),
  name: partyName,
  coordinator: z.strictObject({ url: z.url({ protocol: /^https?$/ }), federation: z.string() }),
  /** Signed by the coordinator: who this researcher is. */
  certificate: z.string(),
})
export type Config = z.infer<typeof config>
