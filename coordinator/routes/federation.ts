import { z } from '@hono/zod-openapi'
import { isoTime } from '#party/clock.ts'
import {
  charterBundle,
  confirmationRequest,
  consentRequest,
  done,
  enrolmentReceipt,
  enrolmentRequest,
  federationInfo,
  prekeyIds,
  prekeysRequest,
} from '#specs/api.ts'
import { charterId } from '#specs/messages.ts'
import { PROTOCOL } from '#specs/signed.ts'
import { charterBundles, takeConfirmation, takeConsent } from '../charters.ts'
import { bundle, charterById } from '../context.ts'
import { takePrekeys, unusedPrekeys, withdrawPrekeys } from '../custodians.ts'
import { enrol, enrolAnotherKey } from '../enrolment.ts'
import { type App, body, enrolledMember, isMember, json, memberOf, route, type Service } from '../http.ts'
import { takeBackCharter } from '../recovery.ts'

const tags = ['Federation']

/** Who the federation is: enrolment, charter, prekeys. */
export function federationRoutes(app: App, { context, lifecycle }: Service): void {
  app.openapi(
    route(
      {
        method: 'get',
        path: '/federation',
        tags,
        summary: 'Who this coordinator is, and under which charter',
        responses: { 200: json('The federation', federationInfo) },
      },
      'public',
    ),
    c =>
      c.json(
        {
          protocol: PROTOCOL,
          name: context.name,
          publicKey: context.key.publicKey,
          currency: context.currency,
          now: isoTime(context.clock.now()),
          ...charterBundles(context),
        } as const,
        200,
      ),
  )

  app.openapi(
    route(
      {
        method: 'post',
        path: '/enrolments',
        tags,
        summary: 'Redeem an invitation',
        request: body(enrolmentRequest),
        responses: { 201: json('Enrolled', enrolmentReceipt) },
      },
      'public',
    ),
    async c => c.json({ sponsor: await enrol(context, c.req.valid('json').enrolment) }, 201),
  )

  app.openapi(
    route({
      method: 'post',
      path: '/keys',
      tags,
      summary: 'Enrol another key of this member, which a charter may put in the place of the one that it has',
      request: body(enrolmentRequest),
      responses: { 201: json('It waits for a charter', done) },
    }),
    async c => {
      await enrolAnotherKey(context, memberOf(context, c.var.party), c.req.valid('json').enrolment)
      return c.json({}, 201)
    },
  )

  app.openapi(
    route(
      {
        method: 'get',
        path: '/charters/{charter}',
        tags,
        summary: 'A charter and the signatures under it',
        request: { params: z.object({ charter: charterId }) },
        responses: { 200: json('The charter', charterBundle) },
      },
      'public',
    ),
    c => c.json(bundle(context.db, charterById(context.db, c.req.valid('param').charter)), 200),
  )

  app.openapi(
    route({
      method: 'post',
      path: '/consents',
      tags,
      summary: 'Sign a charter',
      request: body(consentRequest),
      responses: { 201: json('Signed', done) },
    }),
    async c => {
      await takeConsent(context, enrolledMember(c.var.party).id, c.req.valid('json').consent)
      return c.json({}, 201)
    },
  )

  app.openapi(
    route({
      method: 'post',
      path: '/confirmations',
      tags,
      summary: 'Confirm a charter that has its signatures',
      request: body(confirmationRequest),
      responses: { 201: json('Confirmed', done) },
    }),
    async c => {
      await takeConfirmation(context, enrolledMember(c.var.party).id, c.req.valid('json').confirmation)
      await lifecycle.advance()
      return c.json({}, 201)
    },
  )

  app.openapi(
    route({
      method: 'post',
      path: '/charters',
      tags,
      summary: 'Give back a charter in force that the coordinator lost',
      request: body(charterBundle),
      responses: { 201: json('It is in force', done) },
    }),
    async c => {
      enrolledMember(c.var.party)
      await takeBackCharter(context, c.req.valid('json'))
      await lifecycle.advance()
      return c.json({}, 201)
    },
  )

  app.openapi(
    route({
      method: 'post',
      path: '/prekeys',
      tags,
      summary: 'Publish single-use keys as a custodian',
      request: body(prekeysRequest),
      responses: { 201: json('Taken', done) },
    }),
    async c => {
      await takePrekeys(context, memberOf(context, c.var.party), c.req.valid('json').prekeys)
      await lifecycle.advance()
      return c.json({}, 201)
    },
  )

  app.openapi(
    route({
      method: 'get',
      path: '/prekeys',
      tags,
      summary: 'Own prekeys that no round uses yet',
      responses: { 200: json('Their ids', prekeyIds) },
    }),
    c => {
      const member = enrolledMember(c.var.party)
      // A key that waits for a charter has none, though the member has, with its other key.
      return c.json({ prekeys: isMember(context, member) ? unusedPrekeys(context, member.id) : [] }, 200)
    },
  )

  app.openapi(
    route({
      method: 'post',
      path: '/prekeys/withdrawals',
      tags,
      summary: 'Withdraw own prekeys that no round uses yet, because their private halves are lost',
      request: body(prekeyIds),
      responses: { 201: json('Withdrawn', done) },
    }),
    c => {
      withdrawPrekeys(context, memberOf(context, c.var.party).id, c.req.valid('json').prekeys)
      return c.json({}, 201)
    },
  )
}
