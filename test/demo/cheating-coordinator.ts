import { eq } from 'drizzle-orm'
import { aggregate } from '#coordinator/aggregation.ts'
import { createCoordinator } from '#coordinator/app.ts'
import { newApp } from '#coordinator/http.ts'
import { withCoordinator } from '#coordinator/open.ts'
import { queries, rounds } from '#coordinator/schema.ts'
import { serve } from '#coordinator/serve.ts'
import { command, run, type Terminal } from '#party/command.ts'
import { thisProcess } from '#party/process.ts'
import type { WorkItem, WorkResponse } from '#specs/api.ts'
import { agreement, cohort, type RoundId, refusal, round as roundKind } from '#specs/messages.ts'
import { claims, sign } from '#specs/signed.ts'

/**
 * A coordinator that has gone over to the other side: with the directory and the key of the real one, it asks every custodian to open an
 * answered round once more, without one member. What both answers have in common subtracts away, and that member's own figures
 * would be left. It prints why each custodian refuses, null where one agrees, and ends.
 */
async function cheat(directory: string, id: RoundId, leftOut: string, terminal: Terminal): Promise<void> {
  await withCoordinator(directory, {}, terminal, async (parts, { host, port }) => {
    const coordinator = createCoordinator({ ...parts, aggregate, onError: error => terminal.err(`${error}\n`) })
    const run = parts.db.select().from(rounds).where(eq(rounds.id, id)).get()
    const asked = run && parts.db.select().from(queries).where(eq(queries.id, run.query)).get()
    if (!run?.cohort || !asked) throw new Error(`there is no cohort of a round ${id}`)
    const { payload } = claims(cohort, run.cohort)
    const manifests = payload.manifests.filter(one => one.member !== leftOut)
    const { compact } = await sign(parts.key, cohort, { ...payload, manifests })
    const item: WorkItem = { kind: 'agree', round: run.compact, query: asked.compact, cohort: compact }
    const work: WorkResponse = { version: 'cheat', items: [item] }

    const custodians = claims(roundKind, run.compact).payload.prekeys.length
    const answers = new Map<string, string | null>()
    const everybodyAnswered = new AbortController()
    const over = AbortSignal.any([everybodyAnswered.signal, terminal.signal])
    const told = (custodian: string, refused: string | null) => {
      answers.set(custodian, refused)
      if (answers.size === custodians) everybodyAnswered.abort()
      return Response.json({}, { status: 201 })
    }
    const app = newApp()
    app.get('/work', async c => {
      if (c.req.query('since') === work.version) await parts.clock.wait(1000, over)
      return c.json(work)
    })
    app.post('/rounds/:round/refusals', async c => {
      const { member, reason } = claims(refusal, (await c.req.json()).refusal).payload
      return told(member, reason)
    })
    app.post('/rounds/:round/agreements', async c =>
      told(claims(agreement, (await c.req.json()).agreement).payload.custodian, null),
    )
    app.all('*', c => coordinator.app.fetch(c.req.raw, c.env))
    await serve({ ...coordinator, app }, { host, port }, over, () => undefined)
    terminal.out(JSON.stringify(Object.fromEntries([...answers].toSorted())))
  })
}

const terminal = thisProcess()
const program = command('cheating-coordinator', 'asks for one member too few', 'cheating-coordinator wco 3c5f… KR')
  .argument('<dir>', "the coordinator's directory")
  .argument('<round>', 'an answered round')
  .argument('<member>', 'who is to be left out')
  .action((directory, round, member) => cheat(directory, round, member, terminal))
process.exitCode = await run(program, terminal)
