import { z } from 'zod'
import { coordinates } from '#party/coordinates.ts'
import { typedName } from '#specs/messages.ts'

/** config.yaml of a researcher. */
export const config = z.strictObject({
  role: z.literal('researcher'),
  name: typedName,
  coordinator: coordinates,
  /** Of directories made before members sponsored researchers; not read. */
  certificate: z.string().optional(),
})
export type Config = z.infer<typeof config>
