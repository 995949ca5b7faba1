import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { z } from '@hono/zod-openapi'
import {
  answerEvidence,
  cancellationRequest,
  done,
  drawRequest,
  queryList,
  queryReceipt,
  queryRequest,
  queryStatus,
} from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { memberId, queryId, roundId } from '#specs/messages.ts'
import { answeredRound, evidenceOf, storedCiphertext } from '../answers.ts'
import { type App, binary, body, json, memberOf, route, type Service } from '../http.ts'
import { longPoll, since } from '../long-poll.ts'
import { researcherOf, takeCancellation, takeQuery } from '../queries.ts'
import { requireDrawn, takeDraw } from '../recounts.ts'
import { isQueryOf, queriesOf, statusOf } from '../status.ts'
import { sumFile } from '../uploads.ts'

const tags = ['Queries']

/** What a researcher does: ask, follow, withdraw, and fetch the answer with its evidence. */
export function queryRoutes(app: App, { context, lifecycle }: Service): void {
  app.openapi(
    route({
      method: 'post',
      path: '/queries',
      tags,
      summary: 'Ask a signed question',
      request: body(queryRequest),
      responses: { 201: json('Recorded', queryReceipt) },
    }),
    async c => {
      const query = await takeQuery(context, researcherOf(context, c.var.party.fingerprint), c.req.valid('json').query)
      await lifecycle.advance()
      return c.json({ query }, 201)
    },
  )

  app.openapi(
    route({
      method: 'get',
      path: '/queries',
      tags,
      summary: 'The last hundred queries of this researcher',
      responses: { 200: json('Newest first', queryList) },
    }),
    c => c.json({ queries: queriesOf(context, researcherOf(context, c.var.party.fingerprint).fingerprint) }, 200),
  )

  app.openapi(
    route({
      method: 'get',
      path: '/queries/{query}',
      tags,
      summary: 'How a query stands, member by member',
      description: 'With the parameter since it waits, up to 25 seconds, until something changes.',
      request: { params: z.object({ query: queryId }), query: since },
      responses: { 200: json('Its state', queryStatus) },
    }),
    async c => {
      const { query } = c.req.valid('param')
      const own = () => {
        const researcher = researcherOf(context, c.var.party.fingerprint)
        if (!isQueryOf(context, researcher.fingerprint, query)) throw fault('not-found', `you have no query ${query}`)
        return statusOf(context, query)
      }
      return c.json(await longPoll(c, context, 'researchers', own), 200)
    },
  )

  app.openapi(
    route({
      method: 'post',
      path: '/queries/{query}/cancellation',
      tags,
      summary: 'Withdraw a query that is not opened yet',
      request: { params: z.object({ query: queryId }), ...body(cancellationRequest) },
      responses: { 201: json('Withdrawn', done) },
    }),
    async c => {
      const researcher = researcherOf(context, c.var.party.fingerprint)
      await takeCancellation(context, researcher, c.req.valid('param').query, c.req.valid('json').cancellation)
      await lifecycle.advance()
      context.changes.announce('researchers')
      return c.json({}, 201)
    },
  )

  app.openapi(
    route({
      method: 'get',
      path: '/rounds/{round}/answer',
      tags,
      summary: 'The evidence of an opened round, for its recipient',
      request: { params: z.object({ round: roundId }) },
      responses: { 200: json('Signed messages and sealed openings', answerEvidence) },
    }),
    c => c.json(evidenceOf(context, c.var.party.fingerprint, c.req.valid('param').round), 200),
  )

  app.openapi(
    route({
      method: 'get',
      path: '/rounds/{round}/sum',
      tags,
      summary: 'The joint ciphertext of an opened round, for its recipient',
      request: { params: z.object({ round: roundId }) },
      responses: { 200: { description: 'Packed chunks', content: binary } },
    }),
    async c => {
      const { round } = c.req.valid('param')
      answeredRound(context, c.var.party.fingerprint, round)
      return (await fileResponse(sumFile(context, round), 0)) as never
    },
  )

  app.openapi(
    route({
      method: 'post',
      path: '/rounds/{round}/draw',
      tags,
      summary: 'Reveal the seed from which a custodian is drawn that adds up the sum again',
      request: { params: z.object({ round: roundId }), ...body(drawRequest) },
      responses: { 201: json('Drawn', done) },
    }),
    c => {
      takeDraw(context, c.var.party.fingerprint, c.req.valid('param').round, c.req.valid('json').seed)
      return c.json({}, 201)
    },
  )

  app.openapi(
    route({
      method: 'get',
      path: '/rounds/{round}/contributions/{member}',
      tags,
      summary: "A cohort member's ciphertext, for a recipient or a drawn custodian that adds up again",
      request: { params: z.object({ round: roundId, member: memberId }) },
      responses: { 200: { description: 'Packed chunks', content: binary } },
    }),
    async c => {
      const { round, member } = c.req.valid('param')
      const { party } = c.var
      if (party.role === 'member') requireDrawn(context, memberOf(context, party).id, round)
      else answeredRound(context, party.fingerprint, round)
      const stored = storedCiphertext(context, round, member)
      return (await fileResponse(stored.path, stored.offset)) as never
    },
  )
}

async function fileResponse(path: string, start: number): Promise<Response> {
  const { size } = await stat(path).catch(cause => {
    throw fault('not-found', 'the ciphertexts of this round are no longer kept', cause)
  })
  return new Response(ReadableStream.from(createReadStream(path, { start })), {
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(size - start) },
  })
}
