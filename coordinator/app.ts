import { fault } from '#specs/errors.ts'
import type { Aggregate } from './aggregation.ts'
import { type Context, type ContextOptions, createContext } from './context.ts'
import { type App, answerProblem, authenticate, limitBodies, limitRates, newApp } from './http.ts'
import { Lifecycle } from './lifecycle.ts'
import { tellRequests } from './requests.ts'
import { federationRoutes } from './routes/federation.ts'
import { ledgerRoutes } from './routes/ledger.ts'
import { logRoutes } from './routes/log.ts'
import { offerRoutes } from './routes/offers.ts'
import { queryRoutes } from './routes/queries.ts'
import { releaseRoutes } from './routes/releases.ts'
import { researcherRoutes } from './routes/researchers.ts'
import { roundRoutes } from './routes/rounds.ts'
import { serviceRoutes } from './routes/service.ts'

export interface CoordinatorOptions extends ContextOptions {
  readonly aggregate: Aggregate
  /** Told of everything that should not have happened, with the id of the request in which it did. */
  readonly onError: (error: unknown, request?: string) => void
}

export interface Coordinator {
  readonly app: App
  readonly context: Context
  readonly lifecycle: Lifecycle
}

/** The coordinator as a value: an app that answers requests, and a lifecycle that moves rounds on as time passes. */
export function createCoordinator(options: CoordinatorOptions): Coordinator {
  const context = createContext(options)
  const lifecycle = new Lifecycle(context, options.aggregate, options.onError)
  const app = newApp()
  const countRequest = limitRates(context)
  const authenticated = authenticate(context, countRequest)
  app.use(tellRequests(context.tell, context.clock))
  app.use((_, next) => {
    if (context.changes.ended) throw fault('shutting-down', 'the coordinator is being stopped')
    return next()
  })
  // A pattern with a star matches the path before it too.
  const inRounds = ['/prekeys/*', '/work', '/rounds/*', '/queries/*', '/cohorts/*', '/void-certificates/*']
  const charters = ['/charters', '/consents', '/confirmations', '/keys']
  const researchers = ['/researchers', '/sponsorships', '/revocations/*', '/certificate']
  for (const path of [...inRounds, ...charters, ...researchers, '/offers']) app.use(path, authenticated)
  for (const path of ['/enrolments', '/logins']) {
    app.use(path, (_, next) => {
      countRequest('anonymous')
      return next()
    })
  }
  // Whoever shows who it is does not depend on how much strangers read.
  for (const path of ['/log/*', '/charters/:charter', '/releases/*']) {
    app.use(path, (c, next) => {
      if (c.req.header('authorization') !== undefined) return authenticated(c, next)
      countRequest('anonymous reader')
      return next()
    })
  }
  // Whoever logs in is not known yet.
  for (const path of ['/organisations', '/reference', '/openapi.json']) {
    app.use(path, (_, next) => {
      countRequest('anonymous reader')
      return next()
    })
  }
  // Only now: nothing is read of a stranger that says to be somebody.
  app.use(limitBodies())
  const service = { context, lifecycle }
  federationRoutes(app, service)
  logRoutes(app, service)
  roundRoutes(app, service)
  ledgerRoutes(app, service)
  offerRoutes(app, service)
  queryRoutes(app, service)
  releaseRoutes(app, service)
  researcherRoutes(app, service)
  serviceRoutes(app, service)
  app.notFound(() => {
    // What was asked for is not repeated: whoever pastes the wrong line into an address would find it in the log.
    throw fault('not-found', 'there is nothing at this address; /reference lists what there is')
  })
  app.onError((error, c) => {
    const answer = answerProblem(error, c)
    if (answer.status === 500) options.onError(error, c.var.request)
    return answer
  })
  return { app, context, lifecycle }
}
