import { z } from '@hono/zod-openapi'
import { parseTilePath } from '#specs/log-tiles.ts'
import { type App, binary, route, type Service } from '../http.ts'

const tags = ['Log']
const PREFIX = '/log/tile/'
/** A tile never changes; a checkpoint is another one with every entry. */
const FOR_EVER = 'public, max-age=31536000, immutable'

const text = { 'text/plain': { schema: z.string() } }
const index = z.string().openapi({
  description:
    'Three digits of the index, before them x and three digits each, after them .p/ and the width if it is not 256',
  example: 'x001/234.p/5',
})
const level = z.int().min(0).max(63)

/** The log of signed events as anybody may read it: c2sp.org/tlog-tiles, with the prefix /log. */
export function logRoutes(app: App, { context }: Service): void {
  app.openapi(
    route(
      {
        method: 'get',
        path: '/log/checkpoint',
        tags,
        summary: 'The signed head of the log',
        responses: { 200: { description: 'A C2SP checkpoint', content: text } },
      },
      'public',
    ),
    c => c.text(context.log.checkpoint(), 200, { 'cache-control': 'no-cache' }),
  )

  app.openAPIRegistry.registerPath(
    route(
      {
        method: 'get',
        path: '/log/tile/entries/{index}',
        tags,
        summary: 'A bundle of 256 entries of the log, or of the first of them',
        request: { params: z.object({ index }) },
        responses: { 200: { description: 'Each after its length in two bytes, big endian', content: binary } },
      },
      'public',
    ),
  )

  app.openAPIRegistry.registerPath(
    route(
      {
        method: 'get',
        path: '/log/tile/{level}/{index}',
        tags,
        summary: 'A tile of 256 hashes of the Merkle tree of the log, or of the first of them',
        description: 'Those of level L are over 256^L entries each.',
        request: { params: z.object({ level, index }) },
        responses: { 200: { description: '32 bytes each', content: binary } },
      },
      'public',
    ),
  )

  // The index of a tile has slashes in it, which the paths of OpenAPI documents cannot say.
  for (const path of ['entries/:index{.+}', ':level/:index{.+}']) {
    app.get(`${PREFIX}${path}`, c => {
      const { pathname } = new URL(c.req.url)
      const tile = context.log.tile(parseTilePath(pathname.slice(PREFIX.length)))
      return c.body(new Uint8Array(tile), 200, {
        'content-type': 'application/octet-stream',
        'cache-control': FOR_EVER,
      })
    })
  }
}
