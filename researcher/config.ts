import { z } from 'zod'
import { coordinates } from '#party/coordinates.ts'
import { typedName } from '#specs/messages.ts'

/** config.yaml of a researcher. */
export const config = z.strictObject({
  role: z.literal('researcher'),
  name: typedName,
  coordinator: coordinates,
  /** Signed by the coordinator: who this researcher is. */
  certificate: z.string(),
})
export type Config = z.infer<typeof config>
