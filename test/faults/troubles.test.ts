import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { CHUNK_BYTES } from '#crypto/parameters.ts'
import { SEALED_BYTES } from '#crypto/sealing.ts'
import { remedyOf } from '#specs/problem.ts'
import { effort, seed } from '#test/effort.ts'
import { answerOf, type Federation, type Running, until } from '#test/processes/federation.ts'
import { AfflictedFederation, expectedRows, MEMBERS, question, rowsOf } from './afflicted.ts'
import { cutAfter, Interceptor, type Interference } from './proxy.ts'

/**
 * What befalls machines and networks: full disks, locked and damaged databases, proxies, wrong clocks. Each is told with a code
 * and a remedy, and the round under way completes once it is over. One federation for all of it.
 */

const MINUTE = 60_000
const DAY = 86_400_000
vi.setConfig({ testTimeout: effort(2, 20) * MINUTE, hookTimeout: 2 * MINUTE })

let afflicted: AfflictedFederation
let federation: Federation
let proxy: Interceptor

beforeAll(async () => {
  afflicted = await AfflictedFederation.create({
    front: async url => {
      proxy = await Interceptor.before(url)
      return proxy.url
    },
  })
  federation = afflicted.federation
  await federation.startMembers()
  await federation.untilPrekeys(MEMBERS.length)
})
afterAll(async () => {
  proxy?.[Symbol.dispose]()
  await afflicted?.[Symbol.asyncDispose]()
})

function random(): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

async function expectAnswer(asking: Running): Promise<void> {
  const answer = answerOf(await asking.ended)
  expect(answer.cohort).toEqual(MEMBERS)
  expect(rowsOf(answer)).toEqual(expectedRows)
}

/** Waits until a party's log has a code that it had not, with the remedy. */
async function expectLogged(party: string, code: string, work: () => void): Promise<void> {
  const running = federation.process(party)
  const before = running.stderr.length
  work()
  const fresh = () =>
    running.stderr
      .slice(before)
      .split('\n')
      .filter(line => line.includes(`"code":"${code}"`))
  await until(
    () => fresh().some(line => line.includes(JSON.stringify(remedyOf(code)))),
    () => `${party} to say ${code}; it said:\n${running.stderr.slice(before)}`,
  )
}

describe(`a full disk (seed ${seed})`, () => {
  it.each([
    ['of the database', 'no space'],
    ['of the ciphertext, of which a part fits', CHUNK_BYTES / 2],
  ] as const)('of a member, in the middle %s', async (_, left) => {
    afflicted.fillDisk('AA', left)
    const asking = federation.ask(question('a full disk of a member'))
    await expectLogged('AA', 'out-of-space', () => undefined)
    afflicted.freeDisk('AA')
    await expectAnswer(asking)
  })

  it.each([
    ['of the database', 'no space'],
    ['of a contribution, of which a part fits', MEMBERS.length * SEALED_BYTES + CHUNK_BYTES / 2],
  ] as const)('of the coordinator, in the middle %s', async (_, left) => {
    afflicted.fillDisk('coordinator', left)
    const asking = federation.ask(question('a full disk of the coordinator'))
    await federation
      .process('coordinator')
      .says(/"status":507.*"code":"out-of-space","reason":"the disk of the coordinator is full"/)
    afflicted.freeDisk('coordinator')
    await expectAnswer(asking)
  })
})

describe.concurrent('a database', () => {
  it('that another program keeps locked is waited for, and so is what depends on it', async () => {
    const lock = new Database(join(federation.of('AA'), 'node.sqlite'))
    lock.exec('BEGIN IMMEDIATE')
    const asking = federation.ask(question('a locked database'))
    await expectLogged('AA', 'database-busy', () => undefined)
    lock.exec('ROLLBACK')
    lock.close()
    await expectAnswer(asking)
  })

  it('that is damaged is not used, and its owner is told what to do', async () => {
    await federation.process('CC').kill()
    const file = join(federation.of('CC'), 'node.sqlite')
    const bytes = readFileSync(file)
    writeFileSync(file, Buffer.from(bytes).fill(0x5a, 0, 100))
    const { status, stdout, stderr } = await federation.line.run(['member', 'start', federation.of('CC')])
    expect({ status, stdout, stderr }).toEqual({
      status: 1,
      stdout: '',
      stderr: `inbond: the database is damaged [database-damaged]\n  ${remedyOf('database-damaged')}\n`,
    })
    writeFileSync(file, bytes)
    await federation.startMember('CC')
  })
})

describe(`a proxy (seed ${seed})`, () => {
  const next = random()
  afterEach(() => {
    proxy.interfere = () => ({})
  })

  it('that changes a byte of an upload: the coordinator refuses it, and the member sends it again', async () => {
    let isChanged = false
    const change = (bytes: Buffer, from: number): Buffer => {
      const changed = Buffer.from(bytes)
      const place = from + Math.floor(next() * (bytes.length - from))
      changed[place] = (changed[place] as number) ^ (1 << Math.floor(next() * 8))
      isChanged = true
      return changed
    }
    proxy.interfere = () => {
      let isBody = false
      return {
        up: bytes => {
          const head = bytes.includes('PUT /rounds/') ? bytes.indexOf('\r\n\r\n') + 4 : 0
          isBody ||= head > 0
          return isChanged || !isBody || head === bytes.length ? bytes : change(bytes, head)
        },
      }
    }
    await federation.process('BB').kill()
    await federation.startMember('BB')
    const asking = federation.ask(question('a changed byte'))
    const refused =
      /"msg":"failed; it will be tried again","step":"contribute".*"code":"(bad-\w+|truncated-body)".*"remedy"/
    // Whose upload it was, nobody knows who only sees bytes.
    await Promise.any(MEMBERS.map(id => federation.process(id).says(refused)))
    expect(isChanged).toBe(true)
    await expectAnswer(asking)
  })

  it('that cuts connections at any byte, in either direction', async ({ signal }) => {
    const cuts = effort(4, 60)
    let cut = 0
    proxy.interfere = (): Interference => {
      if (cut === cuts) return {}
      cut++
      const bytes = Math.floor(2 ** (next() * 18))
      return next() < 0.5 ? { up: cutAfter(bytes) } : { down: cutAfter(bytes) }
    }
    await federation.process('BB').kill()
    await federation.startMember('BB')
    while (cut < cuts && !signal.aborted) {
      const asking = federation.ask(question('cut connections'))
      const finished = await asking.ended
      // Before there is a query, nothing can go on: "query run" says that the coordinator does not answer.
      if (finished.status === 1 && !/^Query /m.test(finished.stderr)) {
        expect(finished.stderr).toMatch(/\[(coordinator-unreachable|bad-answer)\]\n {2}\S/)
      } else await expectAnswer(asking)
    }
    await expectAnswer(federation.ask(question('no more cuts')))
  })
})

describe('a wrong clock', () => {
  const jumps = effort([-3 * MINUTE], [3 * MINUTE, -3 * MINUTE, DAY, -DAY])
  afterEach(() => {
    for (const party of ['coordinator', 'researcher', ...MEMBERS]) afflicted.setClock(party, 0)
    for (const party of MEMBERS) federation.process(party).send('SIGCONT')
  })

  /** A question to which only BB has not contributed, and BB is stopped. */
  async function askWithoutBB(purpose: string, rest?: string): Promise<Running> {
    federation.process('BB').send('SIGSTOP')
    const asking = federation.ask(question(purpose, rest))
    await asking.says(/AA, CC contributed/)
    return asking
  }

  async function expectClockSkew(asking: Running): Promise<void> {
    const { status, stdout, stderr } = await asking.ended
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toContain(`[clock-skew]\n  ${remedyOf('clock-skew')}\n`)
  }

  function follow(asking: Running): Running {
    const id = /^Query ([0-9a-f]{12}):/m.exec(asking.stderr)?.[1] as string
    return federation.line.start(['query', 'follow', id, '--as', federation.of('researcher'), '--json'])
  }

  it.each(jumps)('of a member, by %d ms: it says so, and answers when the clock is right again', async jump => {
    afflicted.setClock('AA', jump)
    const asking = federation.ask(question('a wrong clock of a member'))
    await expectLogged('AA', 'clock-skew', () => undefined)
    afflicted.setClock('AA', 0)
    await expectAnswer(asking)
  })

  it.each(effort([], jumps))('of a custodian, by %d ms, once it contributed', async jump => {
    const asking = await askWithoutBB('a wrong clock of a custodian')
    await expectLogged('AA', 'clock-skew', () => {
      afflicted.setClock('AA', jump)
      federation.process('BB').send('SIGCONT')
    })
    afflicted.setClock('AA', 0)
    await expectAnswer(asking)
  })

  it.each(jumps)('of a researcher, by %d ms: it is told, and its question answered afterwards', async jump => {
    afflicted.setClock('researcher', jump)
    const asking = federation.ask(question('a wrong clock of a researcher'))
    await expectClockSkew(asking)
    afflicted.setClock('researcher', 0)
    await expectAnswer(follow(asking))
  })

  it.each(effort([], jumps).filter(jump => jump < DAY))('of the coordinator, by %d ms: all are told', async jump => {
    const asking = await askWithoutBB('a wrong clock of the coordinator')
    await expectLogged('BB', 'clock-skew', () => {
      afflicted.setClock('coordinator', jump)
      federation.process('BB').send('SIGCONT')
    })
    await expectClockSkew(asking)
    afflicted.setClock('coordinator', 0)
    await expectAnswer(follow(asking))
  })

  it('of the coordinator, past the end of a round: the round is void, with the reason', async () => {
    const asking = await askWithoutBB('a day too late', 'closes: 1h\n')
    afflicted.setClock('coordinator', DAY)
    await federation.process('coordinator').says(/"msg":"round void".*2 of the 3 members needed contributed in time/)
    afflicted.setClock('coordinator', 0)
    await asking.ended
    expect(await follow(asking).ended).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringMatching(/missing: BB \[round-void\]\n {2}\S/),
    })
  })
})
