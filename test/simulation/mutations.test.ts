import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { misplaced, TREE } from '../edits.ts'
import { seed, some } from '../effort.ts'
import { mutations } from './mutations.ts'

/**
 * With a protection switched off, some schedule breaks the invariant that rests on it: so the simulation would notice if the
 * protection were lost. The normal run takes a few, other ones each time; the long run takes all.
 */
const IN_A_NORMAL_RUN = 3
const MOST_SCHEDULES = 60

test.each(mutations)('the text of "$name" stands once in its file', ({ edits }) => {
  expect(misplaced(edits)).toEqual([])
})

describe.concurrent(`from the seed ${seed}: without this,`, () => {
  test.each(some(mutations, IN_A_NORMAL_RUN))(
    '$name, an invariant breaks',
    async ({ name, breaks }) => {
      const script = [join(import.meta.dirname, 'mutant.ts'), name, String(seed), String(MOST_SCHEDULES)]
      const preload = ['--import', join(TREE, 'party', 'preload.ts')]
      const { stdout } = await promisify(execFile)(process.execPath, [...preload, ...script], { cwd: TREE })
      const { broken } = JSON.parse(stdout) as { broken: string[] }
      expect(broken).toContainEqual(expect.stringContaining(`${breaks}: `))
    },
    600_000,
  )
})
