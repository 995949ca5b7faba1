import { expect, test } from 'vitest'
import { Remembered } from '#party/remembered.ts'
import { TestClock } from '#test/clock.ts'
import { type Audience, Changes } from './changes.ts'

const clock = new TestClock()
const forever = new AbortController().signal

async function woken(changes: Changes, announced: Audience | 'everybody'): Promise<Audience[]> {
  const awake: Audience[] = []
  for (const audience of ['members', 'researchers'] as const) {
    void changes.wait(audience, clock, 25_000, forever).then(() => awake.push(audience))
  }
  changes.announce(announced)
  await new Promise(resolve => setImmediate(resolve))
  return awake
}

test('a change wakes those whom it may concern, once', async () => {
  expect(await woken(new Changes(), 'researchers')).toEqual(['researchers'])
  expect(await woken(new Changes(), 'everybody')).toEqual(['members', 'researchers'])
  const changes = new Changes()
  await woken(changes, 'everybody')
  changes.end()
  await changes.wait('members', clock, 25_000, forever)
  expect(changes.ended).toBe(true)
})

test('what is remembered is made once, until others took its place', () => {
  const remembered = new Remembered<string, string>(2)
  const made: string[] = []
  const get = (id: string) =>
    remembered.get(id, () => {
      made.push(id)
      return `${id}!`
    })
  expect(['a', 'b', 'a', 'c', 'a', 'b'].map(get)).toEqual(['a!', 'b!', 'a!', 'c!', 'a!', 'b!'])
  expect(made).toEqual(['a', 'b', 'c', 'b'])
})
