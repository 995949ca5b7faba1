import { z } from '@hono/zod-openapi'
import { cohortBundle, voidCertificateAnswer } from '#specs/api.ts'
import { cohortId, voidCertificateId } from '#specs/messages.ts'
import { cohortBundleOf, voidCertificateOf } from '../answers.ts'
import { type App, json, route, type Service } from '../http.ts'

const tags = ['Ledger']

/** What parties fetch of earlier rounds, by ids that they know from the log. */
export function ledgerRoutes(app: App, { context }: Service): void {
  app.openapi(
    route({
      method: 'get',
      path: '/cohorts/{cohort}',
      tags,
      summary: 'A cohort with its round, its query and its manifests',
      request: { params: z.object({ cohort: cohortId }) },
      responses: { 200: json('Signed messages', cohortBundle) },
    }),
    c => c.json(cohortBundleOf(context, c.req.valid('param').cohort), 200),
  )

  app.openapi(
    route({
      method: 'get',
      path: '/void-certificates/{certificate}',
      tags,
      summary: 'What makes the cohort of a void round not count for later ones',
      request: { params: z.object({ certificate: voidCertificateId }) },
      responses: { 200: json('The signed certificate', voidCertificateAnswer) },
    }),
    c => c.json({ certificate: voidCertificateOf(context, c.req.valid('param').certificate) }, 200),
  )
}
