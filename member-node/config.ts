import { z } from 'zod'
import { conventions, memberId, partyName } from '#specs/messages.ts'

/** config.yaml of a member node. */
export const config = z.strictObject({
  role: z.literal('member'),
  id: memberId,
  name: partyName,
  coordinator: z.strictObject({ url: z.url({ protocol: /^https?$/ }), federation: z.string() }),
  /** The federation's, in which values are imported. */
  currency: z.string().regex(/^[A-Z]{3}$/),
  /** `open`, `standard`, or the path of a policy file. */
  policy: z.string(),
  conventions,
})
export type Config = z.infer<typeof config>
