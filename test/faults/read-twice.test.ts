import { afterAll, beforeAll, expect, test } from 'vitest'
import { read } from '#researcher/reading.ts'
import { storedQuery } from '#researcher/researcher.ts'
import { queryStatus } from '#specs/api.ts'
import { Federation } from '#test/federation.ts'
import { doWork, pose, step } from '#test/steps.ts'

const MEMBERS = ['AA', 'BB', 'CC', 'DD']
const QUESTION = `dataset: declarations
where: { flow: import }
by: [transport]
measures: [{ sum: value }]
purpose: read twice
`

let federation: Federation
/** Holds up the first download of a sum. */
let held: Promise<void> | undefined
const reached = Promise.withResolvers<void>()

beforeAll(async () => {
  const network = (_: string, direct: (url: string, init?: RequestInit) => Promise<Response>) => {
    return async (url: string, init?: RequestInit) => {
      if (url.endsWith('/sum') && held !== undefined) {
        const waiting = held
        held = undefined
        reached.resolve()
        await waiting
      }
      return direct(url, init)
    }
  }
  federation = await Federation.create({ members: MEMBERS, threshold: 3, network })
  for (const id of MEMBERS) federation.load(id, 'flow,period,hs6,transport,value\nimport,2020-01,010121,sea,1\n')
})
afterAll(() => federation[Symbol.dispose]())

test('an answer that two processes read, one of them with one opening more, is the one that was stored first', async () => {
  const { researcher } = federation
  const { query } = await pose(federation, QUESTION)
  for (const kind of ['contribute', 'agree'] as const) await step(federation, kind)
  await step(federation, 'open', ['AA', 'BB', 'CC'])
  const release = Promise.withResolvers<void>()
  held = release.promise
  const status = await researcher.connection.get(`/queries/${query}`, queryStatus)
  const slow = read(researcher, status, () => undefined)
  await reached.promise
  await doWork(federation, 'DD', 'open')
  const quick = await read(researcher, status, () => undefined)
  release.resolve()
  expect(quick.evidence.openedBy).toEqual(MEMBERS)
  expect(await slow).toEqual(quick)
  expect(JSON.parse(storedQuery(researcher, query).answer as string)).toEqual(quick)
})
