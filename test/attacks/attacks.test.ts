import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { misplaced, TREE } from '../edits.ts'
import { some } from '../effort.ts'
import type { Snapshot } from '../snapshot.ts'
import { attacks } from './all.ts'
import { type Attack, carryOut, type Outcome } from './attack.ts'
import { foundFederation } from './scene.ts'

/** Every attack on the product, which holds; and without the protection that the attack is about, which is then lost. */

const IN_A_NORMAL_RUN = 8

const matching = (expected: Attack['holds']) =>
  'has' in expected ? expected : { refused: expected.refused, saying: expect.stringMatching(expected.saying) }

const titled = (some: readonly Attack[]) => some.map(attack => [attack.name, attack] as const)

test('the text of every protection stands once in its file', () => {
  expect(misplaced(attacks.flatMap(one => one.protection))).toEqual([])
})

test('every name is of one attack', () => {
  expect(new Set(attacks.map(one => one.name)).size).toBe(attacks.length)
})

// They run beside the others.
const taken = some(attacks, IN_A_NORMAL_RUN)
const withoutProtection = withoutTheProtection(taken)
withoutProtection.catch(() => undefined)

async function withoutTheProtection(attacks: readonly Attack[]): Promise<Outcome[]> {
  const script = join(import.meta.dirname, 'without.ts')
  const args = ['--import', join(TREE, 'party', 'preload.ts'), script, ...attacks.map(one => one.name)]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: TREE })
  return JSON.parse(stdout)
}

describe('on the product', () => {
  let snapshot: Snapshot
  beforeAll(async () => {
    snapshot = await foundFederation()
  })

  test.each(titled(attacks))('%s: refused', async (_, attack) => {
    expect(await carryOut(attack, snapshot)).toEqual(matching(attack.holds))
  })
})

describe('without the protection', () => {
  let outcomes: Outcome[]
  beforeAll(async () => {
    outcomes = await withoutProtection
  }, 300_000)

  test.each(titled(taken))('%s: done', (_, attack) => {
    expect(outcomes[taken.indexOf(attack)]).toEqual(matching(attack.fails))
  })
})
