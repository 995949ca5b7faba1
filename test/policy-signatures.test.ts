import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { generateIdentityKey, type IdentityKey } from '#crypto/signature.ts'
import { type Policy, presets, signaturesToFollow } from '#member-node/policy.ts'
import { policyChanges } from '#member-node/policy-changes.ts'
import { PolicyKeeper, UnsignedPolicy } from '#member-node/policy-in-force.ts'
import { policySignature, type Succession, signPolicy } from '#member-node/policy-signatures.ts'
import { admissionInWords, concernsOfPolicy, listedVersions, policyStanding } from '#member-node/policy-versions.ts'
import * as memberSchema from '#member-node/schema.ts'
import { policies, policySignatures } from '#member-node/schema.ts'
import { openDatabase } from '#party/database.ts'
import type { MemberId } from '#specs/messages.ts'
import { sign } from '#specs/signed.ts'
import { TestClock } from './clock.ts'
import { effort, seed } from './effort.ts'
import { Federation } from './federation.ts'
import { hashOf } from './federation-keys.ts'

/** Which policy is in force: a real database and real keys, and a file that anybody may write. */

const MIGRATIONS = join(import.meta.dirname, '../member-node/migrations')
const MINUTE = 60_000
const NAMES = ['Kim', 'Lee', 'Sato', 'Nobody'] as const
type Name = (typeof NAMES)[number]

let keys: Record<Name | 'node', IdentityKey>
beforeAll(async () => {
  const made = await Promise.all([...NAMES, 'node'].map(async name => [name, await generateIdentityKey()]))
  keys = Object.fromEntries(made)
})

const named = (...names: Name[]) => names.map(name => ({ name, key: keys[name].publicKey }))

/** Kim and Lee are stewards, Sato is a deputy, and whatever fits no template takes two people. */
const byTwo = (change: Partial<Policy> = {}): Policy => ({
  ...(presets.open as Policy),
  otherwise: 'two people',
  stewards: named('Kim', 'Lee'),
  deputies: named('Sato'),
  ...change,
})

/** A node's books, and its policy file. */
class Office {
  readonly node = {
    id: 'KR' as MemberId,
    db: openDatabase(':memory:', memberSchema, MIGRATIONS),
    clock: new TestClock(),
  }
  text = ''
  keeper = this.restart()

  /** Another process. */
  restart(): PolicyKeeper {
    this.keeper = new PolicyKeeper(this.node, async () => this.text)
    return this.keeper
  }

  write(rules: Policy | undefined): void {
    this.text = rules === undefined ? 'otherwise: automatic\n' : stringify(rules)
  }

  /** Writes a policy and says which one is in force then. */
  async edit(rules: Policy | undefined) {
    this.write(rules)
    return this.keeper.inForce()
  }

  /** What the file has and is not in force. */
  async waiting(): Promise<Succession> {
    await this.keeper.inForce()
    const { trouble } = this.keeper
    if (!(trouble instanceof UnsignedPolicy)) throw trouble ?? new Error('nothing waits')
    return trouble.succession
  }

  /** Signs what the file has. */
  async sign(who: Name | 'node', key: IdentityKey = keys[who]): Promise<number> {
    await signPolicy(this.node, await this.waiting(), who === 'node' ? null : who, key)
    return (await this.keeper.inForce()).version
  }

  rows() {
    return this.node.db.select().from(policies).all()
  }
}

let office: Office
beforeEach(() => {
  office = new Office()
})
afterEach(() => office.node.db.$client.close())

describe('a policy that names no stewards', () => {
  test('is followed by the next one at once, with its number, hash, text and time', async () => {
    const texts = [1, 2, 1].map(questionsADay => byTwo({ stewards: [], deputies: named('Kim', 'Lee'), questionsADay }))
    for (const rules of [texts[0], ...texts]) {
      office.node.clock.advance(MINUTE)
      await office.edit(rules)
      office.restart()
    }
    const now = office.node.clock.now()
    expect(office.rows()).toEqual(
      texts.map((rules, i) => ({
        version: i + 1,
        sha256: hashOf(stringify(rules)),
        text: stringify(rules),
        since: now - ([3, 1, 0][i] as number) * MINUTE,
        signaturesToFollow: 0,
        admittedBy: 'nobody',
      })),
    )
  })

  test('and is followed by one that cannot be read stays in force, and says so once', async () => {
    const news: (string | undefined)[] = []
    office.keeper.onTrouble = trouble => void news.push(trouble?.message)
    const first = await office.edit(presets.open)
    for (let times = 0; times < 2; times++) expect(await office.edit(undefined)).toEqual(first)
    expect(office.keeper.trouble?.message).toMatch(/organisations: is missing/)
    expect(concernsOfPolicy(policyStanding(office.keeper)).join()).toMatch(
      /^The policy cannot be read, and the one before/,
    )
    expect(await office.restart().inForce()).toEqual(first)
    office.keeper.onTrouble = trouble => void news.push(trouble?.message)
    expect(await office.edit(presets.open)).toEqual(first)
    expect(news).toEqual([expect.stringMatching(/is missing/), undefined])
  })

  test('is the first only if it can be read', async () => {
    await expect(office.edit(undefined)).rejects.toMatchObject({ code: 'bad-policy' })
    expect(office.rows()).toEqual([])
  })
})

test.each<[number, string, Partial<Policy>]>([
  [0, 'no stewards', { stewards: [], deputies: [] }],
  [1, 'nothing that takes a person', { otherwise: 'automatic' }],
  [1, 'what is refused', { otherwise: 'refused' }],
  [1, 'one person', { otherwise: 'one person' }],
  [2, 'two people', {}],
  [
    2,
    'two people for its own cells',
    { otherwise: 'refused', ownCells: { records: 1, traders: 1, dominance: 9, otherwise: 'two people' } },
  ],
  [
    2,
    'two people for overlaps',
    { otherwise: 'refused', overlap: { records: 1, traders: 1, days: 9, otherwise: 'two people' } },
  ],
  [1, 'one steward and a deputy', { stewards: [{ name: 'Kim', key: '' }] }],
])('it takes %i to follow a policy with %s', (needed, _, change) => {
  expect(signaturesToFollow(byTwo(change))).toBe(needed)
})

test('a template that takes two people makes two sign', () => {
  const totals = { name: 'totals', dataset: 'declarations', by: [], where: [], measures: [], periods: 'year' } as const
  const templates = [{ ...totals, by: [], where: [], measures: [], approval: 'two people' as const }]
  expect(signaturesToFollow(byTwo({ otherwise: 'automatic', templates }))).toBe(2)
})

describe('a policy that names stewards', () => {
  const laxer = () => byTwo({ otherwise: 'automatic' })
  beforeEach(() => office.edit(byTwo()))

  test('stays in force until enough of them signed another one, over restarts, and says who may', async () => {
    const { hash } = await office.edit(laxer())
    expect(office.keeper.trouble).toMatchObject({
      code: 'unsigned-policy',
      message: 'it has 0 of 2 signatures; Kim, Lee may sign',
    })
    expect(await office.sign('Kim')).toBe(1)
    office.restart()
    expect((await office.keeper.inForce()).hash).toBe(hash)
    expect(policyStanding(office.keeper)).toMatchObject({
      policyVersion: 1,
      policyAdmittedBy: 'nobody',
      policyTrouble: 'it has 1 of 2 signatures, by Kim; Lee may sign',
      policyWaits: {
        signedBy: ['Kim'],
        signaturesNeeded: 2,
        maySign: ['Lee'],
        changes: ['otherwise: automatic instead of two people'],
      },
    })
    expect(concernsOfPolicy(policyStanding(office.keeper))).toEqual([
      'Another policy waits, and the one before stays in force: it has 1 of 2 signatures, by Kim; Lee may sign: ' +
        'inbond member policy sign DIR',
    ])
    expect(await office.sign('Lee')).toBe(2)
    expect(office.keeper.trouble).toBeUndefined()
    expect(policyStanding(office.keeper)).toMatchObject({
      policyAdmittedBy: 'stewards',
      policySignedBy: ['Kim', 'Lee'],
    })
    expect(listedVersions(office.restart())).toEqual([])
    await office.keeper.inForce()
    expect(listedVersions(office.keeper).map(admissionInWords)).toEqual(['nobody had to sign it', 'signed by Kim, Lee'])
  })

  test('is signed by the same person and by two at the same moment: each counts once', async () => {
    office.write(laxer())
    await office.waiting()
    const all = await Promise.all([office.sign('Kim'), office.sign('Kim')])
    expect([all, await office.sign('Kim')]).toEqual([[1, 1], 1])
    const other = new PolicyKeeper(office.node, async () => office.text)
    const following = await office.waiting()
    await Promise.all([1, 2].map(() => signPolicy(office.node, following, 'Lee', keys.Lee)))
    const seen = await Promise.all([office.keeper, other, office.keeper].map(one => one.inForce()))
    expect(seen.map(one => one.version)).toEqual([2, 2, 2])
    expect(office.node.db.select().from(policySignatures).all()).toHaveLength(2)
    expect(office.rows()).toHaveLength(2)
  })

  test.each<[string, Name, () => IdentityKey, RegExp]>([
    ['another key', 'Kim', () => keys.Lee, /names no steward Kim with this key/],
    ['a stranger', 'Nobody', () => keys.Nobody, /names no steward Nobody/],
    ['a deputy', 'Sato', () => keys.Sato, /Sato is a deputy/],
  ])('is not signed by %s', async (_, name, key, message) => {
    office.write(laxer())
    await expect(office.sign(name, key())).rejects.toMatchObject({
      code: 'not-allowed',
      message: expect.stringMatching(message),
    })
    expect(office.node.db.select().from(policySignatures).all()).toEqual([])
  })

  test('is not signed by those whom only the next one names, nor any more by those whom it removed', async () => {
    await office.edit(byTwo({ stewards: named('Kim', 'Nobody') }))
    await expect(office.sign('Nobody')).rejects.toMatchObject({ code: 'not-allowed' })
    await office.sign('Kim')
    expect(await office.sign('Lee')).toBe(2)
    office.write(laxer())
    await expect(office.sign('Lee')).rejects.toMatchObject({ code: 'not-allowed' })
    await office.sign('Nobody')
    expect(await office.sign('Kim')).toBe(3)
  })

  test('takes new signatures for a text after every other one: back, and forth again', async () => {
    const other = byTwo({ questionsADay: 5 })
    for (const [i, rules] of [other, byTwo(), other].entries()) {
      expect(await office.edit(rules)).toMatchObject({ version: i + 1 })
      await office.sign('Kim')
      expect(await office.sign('Lee')).toBe(i + 2)
    }
  })

  test('counts no signature of a text that it did not come to', async () => {
    office.write(laxer())
    await office.sign('Kim')
    const late = await office.waiting()
    office.write(byTwo({ questionsADay: 3 }))
    await office.sign('Kim')
    await office.sign('Lee')
    await expect(signPolicy(office.node, late, 'Lee', keys.Lee)).rejects.toMatchObject({ code: 'too-late' })
    await office.edit(laxer())
    expect(office.keeper.trouble?.message).toMatch(/^it has 0 of 2 signatures/)
  })

  test('is followed by one that the node signs in place of its stewards, which is said for good', async () => {
    office.write(presets.open)
    await office.sign('Kim')
    expect(await office.sign('node')).toBe(2)
    expect(policyStanding(office.keeper)).toMatchObject({ policyAdmittedBy: 'node', policySignedBy: ['Kim'] })
    expect(concernsOfPolicy(policyStanding(office.keeper))).toEqual([
      expect.stringMatching(/^Version 2 of the policy came into force at .* without the stewards/),
    ])
    await office.edit(byTwo())
    expect(concernsOfPolicy(policyStanding(office.keeper))).toEqual([])
    expect(listedVersions(office.keeper).map(one => one.admittedBy)).toEqual(['nobody', 'node', 'nobody'])
  })
})

describe('what others wrote into the database', () => {
  const forgery = (version: number, rules: Policy, admittedBy: 'nobody' | 'stewards' | 'node' = 'stewards') => {
    const text = stringify(rules)
    return { version, text, sha256: hashOf(text), since: 0, signaturesToFollow: signaturesToFollow(rules), admittedBy }
  }
  beforeEach(() => office.edit(byTwo()))

  const insert = (row: ReturnType<typeof forgery>) => office.node.db.insert(policies).values(row).run()

  test('is no policy without the signatures that the one before asks for', async () => {
    for (const admittedBy of ['nobody', 'stewards', 'node'] as const) {
      expect(() => insert(forgery(2, presets.open as Policy, admittedBy))).toThrow(/is followed by what they signed/)
    }
    office.write(presets.open)
    await office.sign('Kim')
    expect(() => insert(forgery(2, presets.open as Policy))).toThrow(/is followed by what they signed/)
    await office.sign('Lee')
    expect(office.rows()).toHaveLength(2)
  })

  test('would be one without the constraint, and the node does not go by it', async () => {
    const { $client } = office.node.db
    const stands = await office.keeper.inForce()
    $client.exec('DROP TRIGGER policies_signed')
    insert(forgery(2, presets.open as Policy))
    for (const keeper of [office.keeper, office.restart()]) {
      expect(await keeper.inForce()).toEqual(stands)
      expect(keeper.trouble).toMatchObject({ code: 'database-damaged', message: expect.stringMatching(/version 2/) })
    }
  })

  test('is no signature of a steward, nor of the node', async () => {
    const { hash: policy, follows } = await office.edit(presets.open).then(() => office.waiting())
    const at = new Date(0).toISOString()
    const statement = { policy, follows: { version: 1, policy: follows.hash }, at }
    const earlier = { ...statement, follows: { version: 1, policy: 'f'.repeat(64) } }
    const made = [
      {
        steward: 'Kim',
        publicKey: keys.Kim.publicKey,
        ...(await sign(keys.Nobody, policySignature, { ...statement, steward: 'Kim' })),
      },
      {
        steward: 'Lee',
        publicKey: keys.Nobody.publicKey,
        ...(await sign(keys.Nobody, policySignature, { ...statement, steward: 'Lee' })),
      },
      {
        steward: 'Lee',
        publicKey: keys.Lee.publicKey,
        ...(await sign(keys.Lee, policySignature, { ...earlier, steward: 'Lee' })),
      },
      {
        steward: null,
        publicKey: keys.node.publicKey,
        ...(await sign(keys.Nobody, policySignature, { ...statement, steward: null })),
      },
    ]
    for (const { steward, publicKey, compact } of made) {
      office.node.db
        .insert(policySignatures)
        .values({ policy, follows: 1, steward, publicKey, compact, signedAt: 0 })
        .run()
    }
    expect(await office.edit(presets.open)).toMatchObject({ version: 1 })
    insert(forgery(2, presets.open as Policy))
    expect(await office.restart().inForce()).toMatchObject({ version: 1 })
    expect(office.keeper.trouble).toMatchObject({ code: 'database-damaged' })
  })

  test('is no other text under a hash that was signed', async () => {
    office.write(byTwo({ questionsADay: 7 }))
    const { hash } = await office.waiting()
    office.write(byTwo())
    await office.keeper.inForce()
    const asked = { hash, follows: await office.keeper.inForce() }
    for (const name of ['Kim', 'Lee'] as const) await signPolicy(office.node, asked, name, keys[name])
    insert({ ...forgery(2, presets.open as Policy), sha256: hash })
    expect(await office.keeper.inForce()).toMatchObject({ version: 1 })
    expect(office.keeper.trouble?.message).toMatch(/its text is another one/)
  })

  test('changes neither what was signed nor what was in force', async () => {
    office.write(presets.open)
    await office.sign('Kim')
    for (const table of ['policies', 'policy_signatures']) {
      for (const sql of ['UPDATE $ SET rowid = rowid', 'DELETE FROM $', 'REPLACE INTO $ SELECT * FROM $']) {
        expect(() => office.node.db.$client.exec(sql.replaceAll('$', table))).toThrow(/is never changed|they signed/)
      }
    }
  })
})

describe('the key of the node', () => {
  let federation: Federation
  beforeAll(async () => {
    federation = await Federation.create({ members: ['BR', 'JP', 'KR'] })
  })
  afterAll(() => federation[Symbol.dispose]())

  test('signs in place of the stewards; another one does not', async () => {
    const kr = federation.node('KR')
    let text = stringify(byTwo())
    const keeper = new PolicyKeeper(kr, async () => text)
    const { version } = await keeper.inForce()
    text = stringify(byTwo({ questionsADay: 1 }))
    await keeper.inForce()
    const { succession } = keeper.trouble as UnsignedPolicy
    for (const key of [keys.node, keys.Kim, federation.node('JP').key]) {
      await expect(signPolicy(kr, succession, null, key)).rejects.toMatchObject({ code: 'not-allowed' })
    }
    await signPolicy(kr, succession, null, kr.key)
    expect(await keeper.inForce()).toMatchObject({ version: version + 1, admittedBy: 'node' })
  })
})

/** A policy for each way of following one, with how many of whom must sign the next. */
const POLICIES: { rules: () => Policy | undefined; needed: number; stewards: Name[] }[] = [
  { rules: () => undefined, needed: 0, stewards: [] },
  { rules: () => presets.open, needed: 0, stewards: [] },
  { rules: () => byTwo(), needed: 2, stewards: ['Kim', 'Lee'] },
  {
    rules: () => byTwo({ stewards: named('Kim', 'Lee', 'Sato'), deputies: [] }),
    needed: 2,
    stewards: ['Kim', 'Lee', 'Sato'],
  },
  { rules: () => byTwo({ otherwise: 'one person' }), needed: 1, stewards: ['Kim', 'Lee'] },
  { rules: () => byTwo({ stewards: named('Lee') }), needed: 1, stewards: ['Lee'] },
]

type Step = { edit: number } | { sign: Name | 'node' } | { restart: true }

const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ edit: fc.nat({ max: POLICIES.length - 1 }) }) },
    { weight: 8, arbitrary: fc.record({ sign: fc.constantFrom(...NAMES) }) },
    { weight: 1, arbitrary: fc.constant({ sign: 'node' as const }) },
    { weight: 2, arbitrary: fc.constant({ restart: true as const }) },
  ),
  { minLength: 5, maxLength: 40 },
)

test('whatever is written, signed and restarted: in force is the last one that had enough signatures of the one before', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (taken: Step[]) => {
      const tried = new Office()
      await tried.edit(presets.open)
      let [inForce, version, file] = [1, 1, 1]
      let signed = new Set<string>()
      for (const step of taken) {
        if ('edit' in step) file = step.edit
        if ('restart' in step) tried.restart()
        tried.write(POLICIES[file]?.rules())
        const waits = file !== 0 && file !== inForce
        if ('sign' in step && waits && POLICIES[inForce]?.needed !== 0) {
          const counts = step.sign === 'node' || POLICIES[inForce]?.stewards.includes(step.sign)
          const made = tried.sign(step.sign)
          if (counts) await made
          else await expect(made).rejects.toMatchObject({ code: 'not-allowed' })
          if (counts) signed.add(`${step.sign} ${file}`)
        }
        const { needed, stewards } = POLICIES[inForce] as (typeof POLICIES)[number]
        const enough = stewards.filter(name => signed.has(`${name} ${file}`)).length >= needed
        if (waits && (enough || signed.has(`node ${file}`))) {
          ;[inForce, version, signed] = [file, version + 1, new Set()]
        }
        const now = await tried.keeper.inForce()
        expect([now.version, now.hash]).toEqual([version, hashOf(stringify(POLICIES[inForce]?.rules()))])
        expect(tried.keeper.trouble !== undefined).toBe(file === 0 || file !== inForce)
      }
      expect(tried.rows()).toHaveLength(version)
      tried.node.db.$client.close()
    }),
    { seed, numRuns: effort(12, 400) },
  )
})

test('what a policy changes is told line by line', () => {
  const before = byTwo()
  const overlap = { ...before.overlap, days: 30 }
  const after = byTwo({ overlap, otherwise: 'automatic', stewards: named('Lee', 'Nobody'), purposes: ['research'] })
  expect(policyChanges(before, after)).toEqual([
    'purposes: [research] instead of all',
    'otherwise: automatic instead of two people',
    `stewards: with { name: Nobody, key: ${keys.Nobody.publicKey} }`,
    `stewards: without { name: Kim, key: ${keys.Kim.publicKey} }`,
    'overlap.days: 30 instead of 365',
  ])
  expect(policyChanges(before, byTwo({ stewards: named('Lee', 'Kim') }))).toEqual([])
})
