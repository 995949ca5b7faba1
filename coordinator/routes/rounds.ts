import { z } from '@hono/zod-openapi'
import {
  agreementRequest,
  done,
  openingRequest,
  recountRequest,
  refusalRequest,
  voidStatementRequest,
  workResponse,
} from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { roundId } from '#specs/messages.ts'
import { sharesFor } from '../answers.ts'
import { takeAgreement, takeOpening, takeRefusal, takeVoidStatement } from '../custodians.ts'
import { type App, binary, body, enrolledMember, json, memberOf, route, type Service } from '../http.ts'
import { longPoll, since } from '../long-poll.ts'
import { takeRecount } from '../recounts.ts'
import { takeContribution } from '../uploads.ts'
import { workFor } from '../work.ts'

const tags = ['Rounds']
const params = z.object({ round: roundId })

/** What members and custodians do in a round. */
export function roundRoutes(app: App, { context, lifecycle }: Service): void {
  app.openapi(
    route({
      method: 'get',
      path: '/work',
      tags,
      summary: 'What there is to do for this member',
      description: 'With the parameter since it waits, up to 25 seconds, until the list is another one.',
      request: { query: since },
      responses: { 200: json('The list', workResponse) },
    }),
    async c => {
      const member = enrolledMember(c.var.party)
      return c.json(await longPoll(c, context, 'members', () => workFor(context, member)), 200)
    },
  )

  app.openapi(
    route({
      method: 'put',
      path: '/rounds/{round}/contribution',
      tags,
      summary: 'Contribute: manifest, sealed shares and ciphertext in one body',
      request: { params, body: { content: binary, required: true } },
      responses: { 204: { description: 'Counted' } },
    }),
    async c => {
      const bytes = c.req.raw.body
      if (bytes === null) throw fault('bad-body', 'the request has no body')
      const member = memberOf(context, c.var.party)
      await takeContribution(context, member, c.req.valid('param').round, bytes as unknown as AsyncIterable<Uint8Array>)
      await lifecycle.advance()
      context.changes.announce('researchers')
      return c.body(null, 204)
    },
  )

  app.openapi(
    route({
      method: 'post',
      path: '/rounds/{round}/refusals',
      tags,
      summary: 'Refuse a step of a round, with the reason',
      request: { params, ...body(refusalRequest) },
      responses: { 201: json('Taken', done) },
    }),
    async c => {
      await takeRefusal(
        context,
        memberOf(context, c.var.party),
        c.req.valid('param').round,
        c.req.valid('json').refusal,
      )
      await lifecycle.advance()
      context.changes.announce('researchers')
      return c.json({}, 201)
    },
  )

  app.openapi(
    route({
      method: 'get',
      path: '/rounds/{round}/shares',
      tags,
      summary: "For a custodian: each cohort member's manifest and the share sealed to this custodian",
      request: { params },
      responses: { 200: { description: 'Frames, see specs/messages.md', content: binary } },
    }),
    c => {
      const shares = sharesFor(context, memberOf(context, c.var.party).id, c.req.valid('param').round)
      return new Response(ReadableStream.from(shares), {
        headers: { 'content-type': 'application/octet-stream' },
      }) as never
    },
  )

  app.openapi(
    route({
      method: 'post',
      path: '/rounds/{round}/agreements',
      tags,
      summary: 'Agree to the cohort, as a custodian',
      request: { params, ...body(agreementRequest) },
      responses: { 201: json('Taken', done) },
    }),
    async c => {
      await takeAgreement(
        context,
        memberOf(context, c.var.party),
        c.req.valid('param').round,
        c.req.valid('json').agreement,
      )
      await lifecycle.advance()
      context.changes.announce('researchers')
      return c.json({}, 201)
    },
  )

  app.openapi(
    route({
      method: 'post',
      path: '/rounds/{round}/openings',
      tags,
      summary: 'Open the cohort to the recipient, as a custodian',
      request: { params, ...body(openingRequest) },
      responses: { 201: json('Taken', done) },
    }),
    async c => {
      const { opening, sealed } = c.req.valid('json')
      const member = memberOf(context, c.var.party)
      await takeOpening(context, member, c.req.valid('param').round, opening, Buffer.from(sealed, 'base64url'))
      await lifecycle.advance()
      context.changes.announce('researchers')
      return c.json({}, 201)
    },
  )

  app.openapi(
    route({
      method: 'post',
      path: '/rounds/{round}/void-statements',
      tags,
      summary: 'Say, as a custodian, that a void round was never opened and never will be',
      request: { params, ...body(voidStatementRequest) },
      responses: { 201: json('Taken', done) },
    }),
    async c => {
      const member = memberOf(context, c.var.party)
      await takeVoidStatement(context, member, c.req.valid('param').round, c.req.valid('json').statement)
      await lifecycle.advance()
      return c.json({}, 201)
    },
  )

  app.openapi(
    route({
      method: 'post',
      path: '/rounds/{round}/recounts',
      tags,
      summary: 'Say, as the drawn custodian, what the contributions add up to',
      request: { params, ...body(recountRequest) },
      responses: { 201: json('Taken', done) },
    }),
    async c => {
      const member = memberOf(context, c.var.party)
      await takeRecount(context, member, c.req.valid('param').round, c.req.valid('json').recount)
      context.changes.announce('researchers')
      return c.json({}, 201)
    },
  )
}
