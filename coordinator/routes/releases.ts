import { z } from '@hono/zod-openapi'
import { fault } from '#specs/errors.ts'
import { releaseId, roundId } from '#specs/messages.ts'
import { publishedRelease, releaseList } from '#specs/release.ts'
import { answeredRound } from '../answers.ts'
import { type App, binary, json, route, type Service } from '../http.ts'
import { newestReleases, publishedFile, takeRelease } from '../releases.ts'

const tags = ['Releases']
/** A release never changes. */
const FOR_EVER = 'public, max-age=31536000, immutable'

/** Published answers: a recipient sends one, everybody reads them. */
export function releaseRoutes(app: App, { context }: Service): void {
  app.openapi(
    route({
      method: 'put',
      path: '/rounds/{round}/release',
      tags,
      summary: 'Publish an answer, as its recipient',
      description: 'The body is the file of the release without `log`: see specs/messages.md.',
      request: { params: z.object({ round: roundId }), body: { content: binary, required: true } },
      responses: { 204: { description: 'Published' } },
    }),
    async c => {
      const { round } = c.req.valid('param')
      const { party } = c.var
      answeredRound(context, party.fingerprint, round)
      const bytes = c.req.raw.body
      if (bytes === null) throw fault('bad-body', 'the request has no body')
      await takeRelease(context, party, round, bytes as unknown as AsyncIterable<Uint8Array>)
      return c.body(null, 204)
    },
  )

  app.openapi(
    route(
      {
        method: 'get',
        path: '/releases',
        tags,
        summary: 'The newest hundred releases',
        responses: { 200: json('Newest first', releaseList) },
      },
      'public',
    ),
    c => c.json(newestReleases(context), 200, { 'cache-control': 'no-cache' }),
  )

  app.openapi(
    route(
      {
        method: 'get',
        path: '/releases/{release}',
        tags,
        summary: 'A published answer, with everything to verify it: inbond verify',
        request: { params: z.object({ release: releaseId }) },
        responses: { 200: json('The file', publishedRelease) },
      },
      'public',
    ),
    c => {
      const { release } = c.req.valid('param')
      const headers = { 'content-type': 'application/json', 'cache-control': FOR_EVER, etag: `"${release}"` }
      return c.body(new Uint8Array(publishedFile(context, release)), 200, headers) as never
    },
  )
}
