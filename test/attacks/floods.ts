import { InbondError } from '#crypto/error.ts'
import { edit } from '../edits.ts'
import { problemOf, request } from '../requests.ts'
import { pose } from '../steps.ts'
import type { Attack } from './attack.ts'
import { QUESTION, type Scene } from './scene.ts'

/** Somebody wants the coordinator to have no time, memory or connection left for anybody else. */

const MEGABYTE = 1 << 20

async function unlessRefused(answer: Response | Promise<Response>): Promise<Response> {
  const response = await answer
  if (response.ok) return response
  const { code, detail } = await problemOf(response)
  throw new InbondError(code, detail)
}

/** A stranger enrols with a body that never ends. It must be refused by its length, before all of it is read. */
async function endlessBody(scene: Scene): Promise<unknown> {
  let megabytes = 0
  const body = new ReadableStream({
    pull: controller => {
      if (megabytes++ < 16) controller.enqueue(new Uint8Array(MEGABYTE).fill(0x20))
      else controller.close()
    },
  })
  const answer = await request(scene.federation.coordinator, null, '/enrolments', { method: 'POST', body })
  const { code, detail } = await problemOf(answer)
  if (megabytes > 8) return `${megabytes} megabytes were read`
  throw new InbondError(code, detail)
}

/** A stranger asks without a token, as fast as it can. All strangers together have so many requests a minute. */
async function manyRequests(scene: Scene): Promise<unknown> {
  for (let sent = 0; sent < 1201; sent++) {
    const answer = await request(scene.federation.coordinator, null, '/work')
    if (answer.status !== 401) return unlessRefused(answer)
  }
  return 'an answer to each of 1,201 requests'
}

/** A researcher asks and asks. Each query uses up a prekey of every custodian, so that there may be so many at a time. */
async function manyQueries(scene: Scene): Promise<unknown> {
  for (let asked = 0; asked < 21; asked++) await pose(scene.federation, QUESTION)
  return 'a round for each of 21 queries'
}

/** A member begins an upload and says nothing more, to hold a connection and a file. It must be given up. */
async function standStill(scene: Scene): Promise<unknown> {
  const { round } = await pose(scene.federation, QUESTION)
  const reading = Promise.withResolvers<void>()
  const body = new ReadableStream(
    {
      start: controller => controller.enqueue(new TextEncoder().encode('INBOND01')),
      pull: () => reading.resolve(),
    },
    { highWaterMark: 0 },
  )
  const path = `/rounds/${round}/contribution`
  const answer = request(scene.federation.coordinator, scene.node('VN').key, path, { method: 'PUT', body })
  await reading.promise
  for (let turn = 0; turn < 10; turn++) await new Promise(resolve => setImmediate(resolve))
  scene.federation.clock.advance(31_000)
  const turns = new Promise<undefined>(resolve => {
    let left = 100
    const next = () => (left-- > 0 ? setImmediate(next) : resolve(undefined))
    next()
  })
  const given = await Promise.race([answer, turns])
  return given === undefined ? 'a connection that is held' : unlessRefused(given)
}

const HTTP = 'coordinator/http.ts'

export const attacks: readonly Attack[] = [
  {
    row: 18,
    name: 'a stranger sends a body that does not end',
    attempt: endlessBody,
    holds: { refused: 'too-large', saying: /at most 65536 bytes/ },
    protection: [edit(HTTP, '      maxSize,\n', '      maxSize: Infinity,\n')],
    fails: { has: '17 megabytes were read' },
  },
  {
    row: 18,
    name: 'a stranger sends requests as fast as it can',
    attempt: manyRequests,
    holds: { refused: 'too-many-requests', saying: /more than 1200 requests in a minute/ },
    protection: [edit(HTTP, 'if (count > REQUESTS_A_MINUTE)', 'if (count > Infinity)')],
    fails: { has: 'an answer to each of 1,201 requests' },
  },
  {
    row: 18,
    name: 'a researcher uses up the prekeys of all custodians',
    attempt: manyQueries,
    holds: { refused: 'too-many-requests', saying: /you have 20 queries running/ },
    protection: [edit('coordinator/queries.ts', '>= MOST_RUNNING', '>= Infinity')],
    fails: { has: 'a round for each of 21 queries' },
  },
  {
    row: 18,
    name: 'a member begins an upload and stands still',
    attempt: standStill,
    holds: { refused: 'truncated-body', saying: /stood still for 30 seconds/ },
    protection: [edit('coordinator/uploads.ts', 'IDLE_MS = 30_000', 'IDLE_MS = 30_000_000')],
    fails: { has: 'a connection that is held' },
  },
]
