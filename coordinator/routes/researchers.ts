import { z } from '@hono/zod-openapi'
import {
  certificateAnswer,
  done,
  loginReceipt,
  loginRequest,
  organisationList,
  researcherList,
  revocationReceipt,
  revocationRequest,
  sponsorshipRequest,
} from '#specs/api.ts'
import { revocationId } from '#specs/messages.ts'
import { type App, body, enrolledMember, json, memberOf, route, type Service } from '../http.ts'
import { organisations, takeLogin } from '../logins.ts'
import { researcherOf } from '../queries.ts'
import { researchersOf, revocationCalled, standingOf, takeRevocation, takeSponsorship } from '../researchers.ts'

/** Who may ask: what sponsors say of researchers, and what researchers have of it. */
export function researcherRoutes(app: App, { context, lifecycle }: Service): void {
  app.openapi(
    route({
      method: 'get',
      path: '/researchers',
      tags: ['Federation'],
      summary: 'Researchers whom this member is asked to sponsor, or does',
      responses: { 200: json('In the order of their enrolment', researcherList) },
    }),
    c => c.json({ researchers: researchersOf(context, enrolledMember(c.var.party).id) }, 200),
  )

  app.openapi(
    route({
      method: 'post',
      path: '/sponsorships',
      tags: ['Federation'],
      summary: 'Vouch for a researcher',
      request: body(sponsorshipRequest),
      responses: { 201: json('Certified', done) },
    }),
    async c => {
      await takeSponsorship(context, memberOf(context, c.var.party), c.req.valid('json').sponsorship)
      return c.json({}, 201)
    },
  )

  app.openapi(
    route({
      method: 'post',
      path: '/revocations',
      tags: ['Federation'],
      summary: 'Stop a researcher whom this member sponsors',
      request: body(revocationRequest),
      responses: { 201: json('Stopped', revocationReceipt) },
    }),
    async c => {
      const member = memberOf(context, c.var.party)
      const revocation = await takeRevocation(context, member, c.req.valid('json').revocation)
      await lifecycle.advance()
      return c.json({ revocation }, 201)
    },
  )

  app.openapi(
    route({
      method: 'get',
      path: '/revocations/{revocation}',
      tags: ['Federation'],
      summary: 'A revocation',
      request: { params: z.object({ revocation: revocationId }) },
      responses: { 200: json('As it was signed', revocationRequest) },
    }),
    c => c.json({ revocation: revocationCalled(context, c.req.valid('param').revocation) }, 200),
  )

  app.openapi(
    route(
      {
        method: 'get',
        path: '/organisations',
        tags: ['Logins'],
        summary: 'Organisations that let their people log in, as members vouch for them',
        responses: { 200: json('Sponsorships', organisationList) },
      },
      'public',
    ),
    async c => c.json({ organisations: await organisations(context) }, 200),
  )

  app.openapi(
    route(
      {
        method: 'post',
        path: '/logins',
        tags: ['Logins'],
        summary: 'Become a researcher with an ID token of an organisation',
        request: body(loginRequest),
        responses: { 201: json('Certified', loginReceipt) },
      },
      'public',
    ),
    async c => c.json({ certificate: await takeLogin(context, c.req.valid('json').login) }, 201),
  )

  app.openapi(
    route({
      method: 'get',
      path: '/certificate',
      tags: ['Queries'],
      summary: "This researcher's certificate, or whose sponsorship it waits for",
      responses: { 200: json('What there is', certificateAnswer) },
    }),
    c => c.json(standingOf(context, researcherOf(context, c.var.party.fingerprint).fingerprint), 200),
  )
}
