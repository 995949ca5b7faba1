import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { effort, seed } from '#test/effort.ts'
import { type MemberId, memberId } from '../messages.ts'
import { monthIndex, monthOfIndex } from '../period.ts'
import type { Condition, Question } from '../query.ts'
import { type AskedCohort, admissible, type EarlierCohort, exposures, type Part } from './pattern.ts'
import { askedPeriod, regionsIntersect } from './region.ts'

const MINIMUM = 3
const IDS = ['AA', 'BB', 'CC', 'DD', 'EE', 'FF', 'GG', 'HH'].map(id => memberId.parse(id))
const [A, B, C, D, E, F, G, H] = IDS as [MemberId, MemberId, MemberId, MemberId, MemberId, MemberId, MemberId, MemberId]

function asked(where: readonly Condition[], by: readonly string[] = []): Question {
  const dataset = { id: 'declarations', version: 1 }
  return {
    dataset,
    hsEdition: 'HS2022',
    where: [...where],
    by: [...by],
    measures: [{ count: 'records' }],
    purpose: 'test',
    purposeCode: 'research',
  }
}

const period = (from: string, to = from): Condition => ({ kind: 'range', dimension: 'period', from, to })
const codes = (dimension: string, ...list: string[]): Condition => ({ kind: 'codes', dimension, codes: list })
const JANUARY = asked([period('2020-01')])

/** Members with version 1 of January 2020, or of these versions. */
function parts(members: readonly MemberId[], changes: Partial<Record<MemberId, number>> = {}, alone = false): Part[] {
  return members.map(member => ({
    member,
    coverage: [{ period: '2020-01', state: 'complete', version: changes[member] ?? 1 }],
    alone,
  }))
}

let rounds = 0
function cohort(members: readonly Part[], question = JANUARY, recipientAdministration: MemberId | null = null) {
  const round = `round ${rounds++}`
  return { round, question, recipientAdministration, parts: members, isAgreed: true } satisfies EarlierCohort
}

const membersOf = (found: ReturnType<typeof exposures>) => found.map(one => one.members.join(' ')).sort()

describe('one cohort alone', () => {
  test('needs the minimum, one administration of the recipient not counted', () => {
    expect(exposures(cohort(parts([A, B, C])), [], MINIMUM)).toEqual([])
    expect(membersOf(exposures(cohort(parts([A, B])), [], MINIMUM))).toEqual(['AA BB'])
    expect(membersOf(exposures(cohort(parts([A, B, C]), JANUARY, C), [], MINIMUM))).toEqual(['AA BB CC'])
    expect(exposures(cohort(parts([A, B, C]), JANUARY, H), [], MINIMUM)).toEqual([])
  })

  test('a member without data is not in it', () => {
    const empty: Part = { member: C, coverage: [{ period: '2020-01', state: 'none', version: 0 }], alone: false }
    expect(membersOf(exposures(cohort([...parts([A, B]), empty]), [], MINIMUM))).toEqual(['AA BB'])
  })

  test('months that few have are told apart only where the cells are', () => {
    const long = (member: MemberId, from: number): Part => ({
      member,
      coverage: [1, 2, 3].map(month => ({
        period: `2020-0${month}`,
        state: month < from ? 'none' : 'complete',
        version: month < from ? 0 : 1,
      })),
      alone: false,
    })
    const members = [long(A, 1), long(B, 1), long(C, 2), long(D, 3)]
    const whole = [period('2020-01', '2020-03')]
    expect(exposures(cohort(members, asked(whole)), [], MINIMUM)).toEqual([])
    expect(exposures(cohort(members, asked(whole, ['period'])), [], MINIMUM)).toMatchObject([
      { members: [A, B], months: { from: '2020-01', to: '2020-01' } },
    ])
  })
})

describe('two cohorts', () => {
  const five = [A, B, C, D, E]
  const before = cohort(parts(five))

  test.each<[string, AskedCohort, string[]]>([
    ['the same again', cohort(parts(five)), []],
    ['without one', cohort(parts([A, B, C, D])), ['EE']],
    ['without two', cohort(parts([A, B, C])), ['DD EE']],
    ['with one more', cohort(parts([...five, F])), ['FF']],
    ['with three more', cohort(parts([...five, F, G, H])), []],
    ['after one revised alone', cohort(parts(five, { [E]: 2 })), ['EE', 'EE']],
    ['after two revised', cohort(parts(five, { [D]: 2, [E]: 2 })), ['DD EE', 'DD EE']],
    ['after three revised', cohort(parts(five, { [C]: 2, [D]: 2, [E]: 2 })), ['AA BB']],
    ['after all revised', cohort(parts(five, { [A]: 2, [B]: 2, [C]: 2, [D]: 2, [E]: 2 })), []],
    ['of another month', cohort(parts([A, B, C, D]), asked([period('2020-02')])), []],
    ['of another flow', cohort(parts([A, B, C, D]), asked([period('2020-01'), codes('flow', 'import')])), ['EE']],
  ])('%s', (name, next, expected) => {
    const disjoint = name === 'of another month'
    const shifted = next.parts.map(one => ({
      ...one,
      coverage: one.coverage.map(covered => ({ ...covered, period: '2020-02' })),
    }))
    const placed = disjoint ? { ...next, parts: shifted } : next
    expect(membersOf(exposures(placed, [before], MINIMUM))).toEqual(expected)
  })

  test('a group that accepts to be told apart may be', () => {
    const next = cohort([...parts([A, B, C, D]), ...parts([E], { [E]: 2 }, true)])
    const first = cohort([...parts([A, B, C, D]), ...parts([E], {}, true)])
    expect(exposures(next, [first], MINIMUM)).toEqual([])
    expect(membersOf(exposures(next, [before], MINIMUM))).toEqual(['EE'])
  })

  test('one administration of a recipient is not counted, whichever answer it read', () => {
    const six = cohort(parts([A, B, C, D, E, F]), JANUARY, A)
    expect(membersOf(exposures(cohort(parts([A, B, C])), [six], MINIMUM))).toEqual(['AA BB CC'])
    expect(exposures(cohort(parts([A, B, C, D, E, F]), JANUARY, B), [six], MINIMUM)).toEqual([])
  })
})

test('questions that do not intersect are not held against each other', () => {
  const imports = cohort(parts([A, B, C, D, E]), asked([codes('flow', 'import')]))
  const exports = cohort(parts([A, B, C, D]), asked([codes('flow', 'export')]))
  expect(exposures(exports, [imports], MINIMUM)).toEqual([])
})

test('three cohorts that are harmless in pairs are not harmless together', () => {
  const one = cohort(parts([A, B, C, D, E, F]))
  const two = cohort(parts([A, B, C]))
  const three = cohort(parts([A, B, D, E, F, C]), JANUARY)
  expect(exposures(three, [one, two], MINIMUM)).toEqual([])
  const seven = cohort(parts([A, B, C, D, E, F, G]))
  const left = cohort(parts([A, B, C]))
  const right = cohort(parts([D, E, F]))
  expect(exposures(left, [right], MINIMUM)).toEqual([])
  expect(membersOf(exposures(seven, [left, right], MINIMUM))).toEqual(['GG'])
})

test('a period that shares no month with the question counts where a longer one ties them together', () => {
  const covered = (member: MemberId, months: readonly number[]): Part => ({
    member,
    coverage: months.map(month => ({
      period: monthOfIndex(monthIndex('2020-01') + month),
      state: 'complete',
      version: 1,
    })),
    alone: false,
  })
  const year = cohort(
    [A, B, C, D, E].map(one => covered(one, [0, 1])),
    asked([period('2020-01', '2020-02')]),
  )
  const second = cohort(
    [A, B, C, D].map(one => covered(one, [1])),
    asked([period('2020-02')]),
  )
  const first = cohort(
    [A, B, C, D, E].map(one => covered(one, [0])),
    asked([period('2020-01')]),
  )
  expect(membersOf(exposures(first, [year, second], MINIMUM))).toContain('EE')
})

describe('regions', () => {
  test.each<[string, Condition[], Condition[], boolean]>([
    ['no condition and any', [], [codes('flow', 'import')], true],
    ['different codes', [codes('flow', 'import')], [codes('flow', 'export')], false],
    ['a shared code', [codes('origin', 'CN', 'JP')], [codes('origin', 'JP', 'KR')], true],
    ['other and a code', [codes('origin', 'other')], [codes('origin', 'CN')], true],
    ['unknown and a code', [codes('origin', 'unknown')], [codes('origin', 'CN')], true],
    ['a chapter and a subheading in it', [codes('hs2', '85')], [codes('hs6', '851712')], true],
    ['a chapter and a subheading of another', [codes('hs2', '84')], [codes('hs6', '851712')], false],
    ['prefixes, one of the other', [{ kind: 'prefix', dimension: 'hs6', prefix: '85' }], [codes('hs4', '8517')], true],
    ['prefixes apart', [{ kind: 'prefix', dimension: 'hs6', prefix: '85' }], [codes('hs4', '8417')], false],
    ['ranges that touch', [{ kind: 'range', dimension: 'hs2', from: '01', to: '10' }], [codes('hs6', '100110')], true],
    ['ranges apart', [{ kind: 'range', dimension: 'hs2', from: '01', to: '09' }], [codes('hs6', '100110')], false],
    ['different dimensions', [codes('origin', 'CN')], [codes('consignment', 'JP')], true],
    ['one apart is enough', [codes('origin', 'CN'), codes('flow', 'import')], [codes('flow', 'export')], false],
    ['different months are left to the rule', [period('2020-01')], [period('2020-02')], true],
  ])('%s', (_, left, right, expected) => {
    expect(regionsIntersect(asked(left), asked(right))).toBe(expected)
    expect(regionsIntersect(asked(right), asked(left))).toBe(expected)
  })

  test('another version of a dataset intersects everything, another dataset nothing', () => {
    const imports = asked([codes('flow', 'import')])
    const exports = asked([codes('flow', 'export')])
    const later = { ...exports, dataset: { id: 'declarations', version: 2 } }
    const other = { ...imports, dataset: { id: 'seizures', version: 1 } }
    expect(regionsIntersect(imports, later)).toBe(true)
    expect(regionsIntersect(imports, other)).toBe(false)
  })
})

/** Exact rank of a matrix, modulo a prime. */
function rank(rows: readonly (readonly number[])[]): number {
  const PRIME = 1_000_003n
  const matrix = rows.map(row => row.map(BigInt))
  const power = (base: bigint, exponent: bigint): bigint =>
    exponent === 0n ? 1n : (power((base * base) % PRIME, exponent / 2n) * (exponent % 2n ? base : 1n)) % PRIME
  let found = 0
  for (let column = 0; column < (matrix[0]?.length ?? 0); column++) {
    const pivot = matrix.findIndex((row, i) => i >= found && row[column] !== 0n)
    if (pivot < 0) continue
    const [head] = matrix.splice(pivot, 1) as [bigint[]]
    matrix.splice(found, 0, head)
    const inverse = power(head[column] as bigint, PRIME - 2n)
    for (let i = found + 1; i < matrix.length; i++) {
      const row = matrix[i] as bigint[]
      const factor = ((row[column] as bigint) * inverse) % PRIME
      if (factor === 0n) continue
      for (let j = column; j < row.length; j++) {
        row[j] = ((((row[j] as bigint) - factor * (head[j] as bigint)) % PRIME) + PRIME) % PRIME
      }
    }
    found++
  }
  return found
}

const FLOWS = ['import', 'export']
const MONTHS = ['2020-01', '2020-02', '2020-03']

/** Answers as rows over what each member has in each month, version and flow: one row for each figure that an answer tells apart. */
function figures(cohorts: readonly AskedCohort[]): { rows: number[][]; owners: MemberId[] } {
  const columns = new Map<string, number>()
  const owners: MemberId[] = []
  const rows: number[][] = []
  for (const { question, parts: members } of cohorts) {
    const flow = question.where.find(one => one.dimension === 'flow')
    const { period: range, grain } = askedPeriod(question)
    for (const code of flow?.kind === 'codes' ? flow.codes : FLOWS) {
      const cells = new Map<string, number[]>()
      for (const { member, coverage } of members) {
        for (const { period: month, version, state } of coverage) {
          if (state === 'none' || (range && (month < range.from || month > range.to))) continue
          const key = `${member} ${month} ${version} ${code}`
          if (!columns.has(key)) owners.push(member)
          const column = columns.get(key) ?? columns.size
          columns.set(key, column)
          const cell = grain === 'month' ? month : ''
          const row = cells.get(cell) ?? []
          row[column] = 1
          cells.set(cell, row)
        }
      }
      rows.push(...cells.values())
    }
  }
  return { rows: rows.map(row => Array.from({ length: columns.size }, (_, i) => row[i] ?? 0)), owners }
}

/** Whether some combination of the answers is about these members alone. */
function tells({ rows, owners }: ReturnType<typeof figures>, about: ReadonlySet<MemberId>): boolean {
  const elsewhere = rows.map(row => row.filter((_, i) => !about.has(owners[i] as MemberId)))
  return rank(elsewhere) < rank(rows)
}

const question = fc
  .record({
    flow: fc.constantFrom([], [codes('flow', 'import')], [codes('flow', 'export')]),
    from: fc.nat(2),
    to: fc.nat(2),
    by: fc.constantFrom<string[]>([], ['period']),
  })
  .map(({ flow, from, to, by }) => {
    const [first, last] = [Math.min(from, to), Math.max(from, to)]
    return asked([...flow, period(MONTHS[first] as string, MONTHS[last])], by)
  })
const sameRegion = fc
  .constantFrom<string[]>([], ['period'])
  .map(by => asked([period(MONTHS[0] as string, MONTHS[2])], by))

const SIZE = 7
interface Asking {
  readonly question: Question
  readonly recipient: MemberId | null
  readonly members: readonly { readonly absent: number; readonly versions: readonly number[] }[]
}

/** Members that come and go, revise some months, and lack some. */
function asking(questions: fc.Arbitrary<Question>, recipients: readonly (MemberId | null)[]): fc.Arbitrary<Asking> {
  const versions = fc.array(fc.nat(9), { minLength: 3, maxLength: 3 })
  const members = fc.array(fc.record({ absent: fc.nat(9), versions }), { minLength: SIZE, maxLength: SIZE })
  return fc.record({ question: questions, recipient: fc.constantFrom(...recipients), members })
}

/** Mostly present, mostly with version 1 of a month. */
function cohortOf({ question, recipient, members }: Asking): EarlierCohort {
  const { period: range } = askedPeriod(question)
  const asked = (month: string) => range !== undefined && month >= range.from && month <= range.to
  const present = members.flatMap(({ absent, versions }, i) => {
    const coverage = MONTHS.map((month, m) => ({ period: month, ...versionOf(versions[m] as number) }))
    const part = { member: IDS[i] as MemberId, coverage: coverage.filter(one => asked(one.period)), alone: false }
    return absent === 9 ? [] : [part]
  })
  return cohort(present, question, recipient)
}

function versionOf(drawn: number) {
  if (drawn === 9) return { state: 'none', version: 0 } as const
  return { state: 'complete', version: drawn === 8 ? 2 : 1 } as const
}

/** Each cohort as large as the rule lets it be beside those before it. */
function agreedOf(wanted: readonly Asking[]): EarlierCohort[] {
  return agreedBeside(wanted.map(asking => ({ asking, isAnnounced: false })))
}

/** The same, where some of them stand in the log before anybody agrees to them, as they are wanted. */
function agreedBeside(wanted: readonly { readonly asking: Asking; readonly isAnnounced: boolean }[]): EarlierCohort[] {
  const logged: EarlierCohort[] = []
  for (const { asking, isAnnounced } of wanted) {
    if (isAnnounced) logged.push({ ...cohortOf(asking), isAgreed: false })
    const next = admissible(cohortOf(asking), logged, MINIMUM)
    if (figures([next]).rows.length > 0) logged.push({ ...next, isAgreed: true })
  }
  return logged.filter(one => one.isAgreed)
}

describe('whatever was agreed to', () => {
  test('no combination of answers is about fewer members than a minimum cohort', () => {
    let most = 0
    fc.assert(
      fc.property(fc.array(asking(question, [null]), { minLength: 2, maxLength: 6 }), wanted => {
        const agreed = agreedOf(wanted)
        most = Math.max(most, agreed.length)
        const all = figures(agreed)
        for (const one of IDS) for (const two of IDS) expect(tells(all, new Set([one, two]))).toBe(false)
      }),
      { seed, numRuns: effort(60, 3000) },
    )
    expect(most).toBeGreaterThan(2)
  })

  test('not even if they were in the log before anybody agreed to them', () => {
    const wanted = fc.record({ asking: asking(sameRegion, [null]), isAnnounced: fc.boolean() })
    fc.assert(
      fc.property(fc.array(wanted, { minLength: 2, maxLength: 5 }), announced => {
        const all = figures(agreedBeside(announced))
        for (const one of IDS) for (const two of IDS) expect(tells(all, new Set([one, two]))).toBe(false)
      }),
      { seed, numRuns: effort(60, 3000) },
    )
  })

  test('not even with what one recipient knows of its own administration', () => {
    fc.assert(
      fc.property(fc.array(asking(sameRegion, [null, A, B]), { minLength: 2, maxLength: 5 }), wanted => {
        const agreed = agreedOf(wanted)
        const all = figures(agreed)
        for (const own of new Set(agreed.flatMap(one => one.recipientAdministration ?? []))) {
          for (const one of IDS) {
            for (const two of IDS) {
              const others = new Set([one, two].filter(id => id !== own))
              // Its own figures alone are no secret from it.
              const known = tells(all, new Set([own]))
              expect(tells(all, new Set([...others, own])) && !known).toBe(false)
            }
          }
        }
      }),
      { seed, numRuns: effort(60, 3000) },
    )
  })

  test('is agreed to again, with the same members and versions', () => {
    fc.assert(
      fc.property(fc.array(asking(question, [null]), { minLength: 1, maxLength: 5 }), wanted => {
        const agreed = agreedOf(wanted)
        for (const one of agreed) expect(exposures({ ...one, round: 'again' }, agreed, MINIMUM)).toEqual([])
      }),
      { seed, numRuns: effort(200, 3000) },
    )
  })

  test('an earlier cohort never makes a question easier', () => {
    fc.assert(
      fc.property(
        fc.array(asking(question, [null, A, B]), { minLength: 1, maxLength: 4 }),
        asking(question, [null, A]),
        (earlier, last) => {
          const before = earlier.map(cohortOf)
          const next = cohortOf(last)
          // What was answered to the same members before is answered again, whatever came between.
          const said = (one: AskedCohort) => JSON.stringify([one.question, one.parts])
          if (before.some(one => one.isAgreed && said(one) === said(next))) return
          if (exposures(next, before, MINIMUM).length === 0) {
            for (let i = 0; i < before.length; i++) {
              expect(exposures(next, before.toSpliced(i, 1), MINIMUM)).toEqual([])
            }
          }
        },
      ),
      { seed, numRuns: effort(200, 3000) },
    )
  })
})
