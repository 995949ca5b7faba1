import { expect, test } from 'vitest'
import { fault } from '#specs/errors.ts'
import { patiently } from './patience.ts'
import { Progress } from './progress.ts'

const away = fault('coordinator-unreachable', 'https://stats.example.org does not answer')

/** What is written while the coordinator fails so many times, under a clock that only waiting moves. */
async function written(failures: number, columns?: number): Promise<string> {
  let now = 0
  let text = ''
  const clock = {
    now: () => now,
    wait: async (milliseconds: number) => {
      now += milliseconds
    },
  }
  const write = (more: string) => {
    text += more
  }
  const progress = new Progress(clock, write, columns)
  const unanswered = (reason: string | undefined) => progress.showUnanswered(reason)
  const attempt = async () => {
    if (failures-- > 0) throw away
  }
  await patiently({ clock, unanswered }, undefined, attempt)
  return text
}

test('a coordinator that does not answer for a while is named once, and once when it is back', async () => {
  const lines = 'https://stats.example.org does not answer; it is tried again\nthe coordinator answers again\n'
  expect(await written(3)).toBe(lines)
  expect(await written(30)).toBe(lines)
  expect(await written(3, 80)).toBe(lines.replaceAll(/^(?=.)/gm, '\r\u001b[K'))
})

test('of one that answers soon nothing is said', async () => {
  expect(await written(0)).toBe('')
  expect(await written(2)).toBe('')
})
