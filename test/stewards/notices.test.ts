import { createHash, createHmac } from 'node:crypto'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { beforeEach, describe, expect, test } from 'vitest'
import { levelOf, policyNews } from '#member-node/events.ts'
import { measureState } from '#member-node/metrics.ts'
import { mail, type Notice, type Telling, tellAll, type Way, webhook } from '#member-node/notices.ts'
import { PolicyKeeper } from '#member-node/policy-in-force.ts'
import { pendingQuestions } from '#member-node/queue.ts'
import { policies } from '#member-node/schema.ts'
import { concernsOf, overview } from '#member-node/status.ts'
import { restartNode } from '../restart.ts'
import { byHand, desk, federation, HOUR, kr, look, MINUTE, openDesk, posed } from './desk.ts'

/** How stewards and operators learn what waits. */

openDesk()

describe('stewards are told', () => {
  const SECRET = 'a secret of sixteen'
  const never = new AbortController().signal
  const failures: string[] = []
  const failed = (way: string, error: unknown) => void failures.push(`${way}: ${(error as Error).message}`)
  const tell = (ways: readonly Way[], signal = never, own: Partial<Telling> = {}) =>
    tellAll({ desk: desk(), keeper: { trouble: undefined }, ways, failed, ...own }, signal)
  beforeEach(async () => {
    failures.length = 0
    // Whatever waits from before is over.
    federation.clock.advance(2 * HOUR)
    await look()
  })

  function recording(name: string): Way & { readonly told: Notice[] } {
    const told: Notice[] = []
    return { name, told, tell: async notice => void told.push(notice) }
  }

  test('once, each way, of every question that waits, and once more when deputies may decide', async () => {
    const { round } = await posed()
    const [one, other] = [recording('one'), recording('other')]
    for (let times = 0; times < 3; times++) await tell([one, other])
    const expires = new Date(federation.clock.now() + HOUR).toISOString()
    expect(one.told).toEqual([{ event: 'waits', member: 'KR', question: round, expires, approvalsNeeded: 1 }])
    expect(other.told).toEqual(one.told)
    federation.clock.advance(30 * MINUTE)
    restartNode(federation, 'KR')
    await tell([one])
    expect(one.told.map(notice => notice.event)).toEqual(['waits', 'deputies'])
    federation.clock.advance(30 * MINUTE)
    await look()
    await tell([recording('third')])
    expect(one.told).toHaveLength(2)
  })

  test('by a webhook that is signed, and says no word of the question', async () => {
    await posed()
    const sent: { url: string; init: RequestInit }[] = []
    const way = webhook('https://stewards.example/kr', SECRET, federation.clock, async (url, init = {}) => {
      sent.push({ url, init })
      return new Response(null, { status: 204 })
    })
    await tell([way])
    expect(sent).toHaveLength(1)
    const { url, init } = sent[0] as (typeof sent)[number]
    expect(url).toBe('https://stewards.example/kr')
    expect(String(init.body)).not.toMatch(/Ada|stewards see|hs2/)
    const time = federation.clock.now()
    const code = createHmac('sha256', SECRET).update(`${time}.${init.body}`).digest('hex')
    expect(init.headers).toMatchObject({ 'inbond-signature': `t=${time},sha256=${code}` })
  })

  test('again, with pauses that grow, by a webhook that fails or redirects', async () => {
    kr().rules = byHand({ deputies: [] })
    await posed()
    const answers = [302, 500, 204]
    let asked = 0
    const way = webhook('https://stewards.example/', SECRET, federation.clock, async (_, init) => {
      expect(init?.redirect).toBe('manual')
      return new Response(null, {
        status: answers[asked++] as number,
        headers: { location: 'https://elsewhere.example/' },
      })
    })
    const times = [0, 9_999, 1, 19_999, 1, HOUR / 2]
    const after: number[] = []
    for (const wait of times) {
      federation.clock.advance(wait)
      await tell([way])
      after.push(asked)
    }
    expect(after).toEqual([1, 1, 2, 2, 3, 3])
    expect(failures.slice(0, 2)).toEqual([
      'webhook: the receiver of the webhook answered 302',
      'webhook: the receiver of the webhook answered 500',
    ])
  })

  test('by nothing that never answers: it is given up after ten seconds, and at once when the node stops', async () => {
    await posed()
    const way = webhook(
      'https://stewards.example/',
      SECRET,
      federation.clock,
      (_, init) =>
        new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))),
    )
    const telling = tell([way])
    await new Promise(resolve => setImmediate(resolve))
    federation.clock.advance(10_000)
    await telling
    expect(failures).toEqual(['webhook: the receiver of the webhook did not answer within ten seconds'])
    federation.clock.advance(MINUTE)
    const stopping = new AbortController()
    const again = tell([way], stopping.signal)
    await new Promise(resolve => setImmediate(resolve))
    stopping.abort()
    await again
    expect(failures).toHaveLength(1)
  })

  test('of another policy in the file, once, and again of another one', async () => {
    let rules = byHand({ questionsADay: 7 })
    kr().rules = rules
    await kr().policy()
    const keeper = new PolicyKeeper(kr(), async () => JSON.stringify(rules))
    const own = { keeper, desk: { ...desk(), policy: () => keeper.inForce() } }
    const way = recording('one')
    const sent: { text: string }[] = []
    const ways = [way, mail('kr@example.org', 'kim@example.org', { sendMail: async one => sent.push(one) })]
    await tell(ways, never, own)
    expect(way.told).toEqual([])
    for (const questionsADay of [8, 8, 9, 7]) {
      rules = byHand({ questionsADay })
      await tell(ways, never, own)
    }
    const sha256 = (questionsADay: number) =>
      createHash('sha256')
        .update(JSON.stringify(byHand({ questionsADay })))
        .digest('hex')
    const notice = { event: 'policy', member: 'KR', signaturesNeeded: 1 }
    expect(way.told).toEqual([8, 9].map(most => ({ ...notice, policy: sha256(most) })))
    expect(sent).toHaveLength(2)
    expect(sent[0]).toMatchObject({
      subject: 'KR: a policy waits for the signatures of stewards',
      text: expect.stringContaining(sha256(8)),
    })
  })

  test('by mail, in words', async () => {
    const { round } = await posed()
    const sent: object[] = []
    await tell([mail('kr@example.org', 'kim@example.org', { sendMail: async one => sent.push(one) })])
    expect(sent).toEqual([
      {
        from: 'kr@example.org',
        to: 'kim@example.org',
        subject: 'KR: a question waits for a steward',
        text: expect.stringContaining(`inbond member show DIR ${round.slice(0, 12)}`),
      },
    ])
  })
})

test('operators see what waits, and a policy that cannot be read or is not signed', async () => {
  await posed()
  let text = JSON.stringify(kr().rules)
  const keeper = new PolicyKeeper(kr(), async () => text)
  await keeper.inForce()
  const registry = new Registry()
  const warehouse = join(kr().directory, 'warehouse.sqlite')
  measureState(registry, kr(), warehouse, keeper)
  const metric = async (name: string) =>
    Number(new RegExp(`^${name} (.*)$`, 'm').exec(await registry.metrics())?.[1] ?? Number.NaN)
  const concerns = () =>
    concernsOf(
      overview(kr(), kr().directory, 'policy.yaml', 1, new Error('away'), keeper),
      federation.clock.now(),
    ).join('\n')
  expect(await metric('inbond_questions_waiting')).toBe(pendingQuestions(desk()).length)
  expect(await metric('inbond_policy_version')).toBe(kr().db.select().from(policies).all().length)
  expect(await metric('inbond_policy_readable')).toBe(1)
  expect(concerns()).toContain(`for a steward: inbond member queue ${kr().directory}\n`)
  expect(concerns()).not.toMatch(/policy cannot be read|Another policy/)
  text = 'nonsense'
  await keeper.inForce()
  expect(await metric('inbond_policy_readable')).toBe(0)
  expect(concerns()).toMatch(/The policy cannot be read, and the one before stays in force: the policy does not fit/)
  expect(policyNews(keeper.trouble)).toMatchObject({ msg: 'the policy cannot be read', code: 'bad-policy' })
  expect(await metric('inbond_policy_unsigned')).toBe(0)
  text = JSON.stringify(byHand({ questionsADay: 1 }))
  await keeper.inForce()
  expect([await metric('inbond_policy_readable'), await metric('inbond_policy_unsigned')]).toEqual([1, 1])
  expect(concerns()).toMatch(
    /Another policy waits, .* it has 0 of 1 signatures; Kim, Lee may sign: inbond member policy/,
  )
  const news = policyNews(keeper.trouble)
  expect(news).toMatchObject({ msg: 'another policy waits for the signatures of stewards', code: 'unsigned-policy' })
  expect(levelOf(news)).toBe('warn')
})
