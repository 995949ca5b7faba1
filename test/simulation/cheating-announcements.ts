import { isoTime } from '#party/clock.ts'
import type { WorkItem } from '#specs/api.ts'
import { round } from '#specs/messages.ts'
import { claims, sign } from '#specs/signed.ts'
import type { Federation } from '../federation.ts'
import { type Adversary, keyOf, select, working } from './adversary.ts'

type Contribute = Extract<WorkItem, { kind: 'contribute' }>

function announcing(change: (item: Contribute) => Promise<WorkItem[]>): Adversary {
  return {
    show: working(async (_, items) =>
      (await Promise.all(items.map(item => (item.kind === 'contribute' ? change(item) : [item])))).flat(),
    ),
  }
}

/** A coordinator that announces every query after the first with the prekeys of the first round. */
export function reusedPrekeys(federation: Federation): Adversary {
  return announcing(async item => {
    const [first] = select<{ compact: string }>(
      federation,
      'SELECT compact FROM rounds ORDER BY opened_at, rowid LIMIT 1',
    )
    if (first === undefined || first.compact === item.round) return [item]
    const { prekeys } = claims(round, first.compact).payload
    const announced = { ...claims(round, item.round).payload, prekeys }
    return [{ ...item, round: (await sign(keyOf(federation), round, announced)).compact }]
  })
}

/** A coordinator that announces each query in a second round, with other prekeys. */
export function twoRounds(federation: Federation): Adversary {
  const second = new Map<string, string>()
  return announcing(async item => {
    const announced = claims(round, item.round).payload
    const later = (time: string) => isoTime(Date.parse(time) + 1)
    if (!second.has(item.round)) {
      const free = select<{ compact: string }>(
        federation,
        'SELECT compact FROM prekeys WHERE round IS NULL GROUP BY custodian HAVING max(rowid)',
      )
      const again = {
        ...announced,
        opens: later(announced.opens),
        closes: later(announced.closes),
        ends: later(announced.ends),
        prekeys: free.map(one => one.compact),
      }
      second.set(item.round, (await sign(keyOf(federation), round, again)).compact)
    }
    return [item, { ...item, round: second.get(item.round) as string }]
  })
}
