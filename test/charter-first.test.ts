import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Observer, work } from '#member-node/work.ts'
import { Federation } from './federation.ts'
import { forgetCharters } from './restart.ts'
import { pose, roundRow } from './steps.ts'

/** A node that was away while the charter came into force and the first question was asked finds both in its first list. */

const QUESTION = `dataset: declarations
measures: [{ count: records }]
purpose: the first question
closes: 1h
`

let federation: Federation
/** Requests of KR for a charter that break off from now on. */
let breaking = 0

beforeEach(async () => {
  federation = await Federation.create({
    members: ['BR', 'JP', 'KR'],
    network: (who, direct) => async (url, init) => {
      if (who === 'KR' && url.includes('/charters/') && breaking-- > 0) throw new TypeError('the connection broke')
      return direct(url, init)
    },
  })
  forgetCharters(federation.node('KR'))
})
afterEach(() => federation[Symbol.dispose]())

/** Lets KR work, with a clock that waits for nobody, until it has contributed or refused to. */
async function workOfKR(): Promise<string[]> {
  const node = federation.node('KR')
  const over = new AbortController()
  const told: string[] = []
  const tell = (what: string) => {
    if (!over.signal.aborted) told.push(what)
    if (/contribute/.test(what)) over.abort()
  }
  const observer: Observer = {
    done: item => tell(`did ${item.kind}`),
    refused: item => tell(`refused to ${item.kind}`),
    failed: (_, item) => tell(`failed at ${item?.kind}`),
  }
  await work({ ...node, clock: { now: node.clock.now, wait: async () => undefined } }, observer, over.signal)
  return told
}

describe('a question that is listed with the charter', () => {
  test('waits until the node has learned the charter', async () => {
    const { round } = await pose(federation, QUESTION)
    expect(await workOfKR()).toEqual(['did charter', 'did contribute'])
    expect(roundRow(federation, round).state).toBe('open')
  })

  test('is not refused because the charter did not arrive', async () => {
    await pose(federation, QUESTION)
    breaking = 2
    expect(await workOfKR()).toEqual(['failed at charter', 'failed at charter', 'did charter', 'did contribute'])
  })
})
