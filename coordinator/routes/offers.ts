import { done, offerList, offerRequest } from '#specs/api.ts'
import { type App, body, json, memberOf, route, type Service } from '../http.ts'
import { newestOffers, takeOffer } from '../offers.ts'

const tags = ['Federation']

/** What members would answer, for whoever wants to know before it asks. */
export function offerRoutes(app: App, { context }: Service): void {
  app.openapi(
    route({
      method: 'post',
      path: '/offers',
      tags,
      summary: 'Say, as a member, what it would answer and from which months',
      request: body(offerRequest),
      responses: { 201: json('Taken', done) },
    }),
    async c => {
      await takeOffer(context, memberOf(context, c.var.party), c.req.valid('json').offer)
      return c.json({}, 201)
    },
  )

  app.openapi(
    route({
      method: 'get',
      path: '/offers',
      tags,
      summary: 'The newest offer of every member',
      responses: { 200: json('Signed messages', offerList) },
    }),
    c => c.json({ offers: newestOffers(context) }, 200),
  )
}
