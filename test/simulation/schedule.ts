import fc from 'fast-check'
import type { Cheat } from './adversaries.ts'
import { MEMBERS } from './members.ts'
import { faults } from './network.ts'
import { AT_REST, REFORMED } from './stages.ts'

/**
 * What happens in one run, as a plain value. `moves` come first, one after the other; then the network heals, clocks are right,
 * everybody is there, and time passes.
 */
const SECOND = 1000
const MINUTE = 60 * SECOND
const DAY = 24 * 60 * MINUTE

export const PARTIES = ['coordinator', 'researcher', ...MEMBERS] as const

function rarely<T, U>(arbitrary: fc.Arbitrary<T>, usual: U): fc.Arbitrary<T | U> {
  return fc.oneof({ weight: 11, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary })
}

const question = fc.record({
  /** Asked before the move with this number. */
  at: fc.nat(20),
  need: fc.constantFrom('all', '{ atLeast: 3 }'),
  closes: fc.constantFrom('1h', '10m', '3d'),
  /** Cells beyond the bound, which nobody may contribute. */
  large: rarely(fc.constant(true), false),
  /** Withdrawn before the move with this number. */
  withdrawn: rarely(fc.nat(60), null),
})
export type Question = typeof question extends fc.Arbitrary<infer T> ? T : never

/** Other custodians, proposed before the move with this number, or after it if the charter proposed before is to be confirmed yet. */
const reform = fc.record({
  at: fc.oneof(fc.nat(40), fc.constant(AT_REST)),
  custodians: fc.subarray([...MEMBERS], { minLength: 3, maxLength: 3 }),
})
export type Reform = typeof reform extends fc.Arbitrary<infer T> ? T : never

/** Which of the things that can happen now, counted from the one that has waited longest; and what happens to it on its way. */
const go = fc.record({
  do: fc.constant('go' as const),
  pick: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.nat(9) }),
  fault: fc.oneof(
    { weight: 4, arbitrary: fc.constant('none' as const) },
    { weight: 1, arbitrary: fc.constantFrom(...faults) },
  ),
})
const crash = fc.record({ do: fc.constant('crash' as const), who: fc.constantFrom(...PARTIES) })
/** Not there for so many moves. */
const leave = fc.record({
  do: fc.constant('leave' as const),
  who: fc.constantFrom(...MEMBERS),
  moves: fc.integer({ min: 1, max: 60 }),
})
const jump = fc.record({
  do: fc.constant('jump' as const),
  who: fc.constantFrom(...PARTIES),
  milliseconds: fc.constantFrom(MINUTE, -MINUTE, 10 * MINUTE, -10 * MINUTE, 2 * DAY, -2 * DAY, 40 * DAY),
})
const pass = fc.record({
  do: fc.constant('pass' as const),
  milliseconds: fc.constantFrom(SECOND, 20 * SECOND, 5 * MINUTE, 40 * MINUTE, DAY),
})
const move = fc.oneof(
  { weight: 30, arbitrary: go },
  { weight: 2, arbitrary: crash },
  { weight: 1, arbitrary: leave },
  { weight: 1, arbitrary: jump },
  { weight: 1, arbitrary: pass },
)
/** Few enough that a backup is often followed by a loss. */
const LOSING = ['BR', 'KR'] as const
const backUp = fc.record({ do: fc.constant('back up' as const), who: fc.constantFrom(...LOSING) })
/** Its disk is lost, and its newest backup restored, if it has one. */
const restore = fc.record({ do: fc.constant('restore' as const), who: fc.constantFrom(...LOSING) })
/** Clocks are right: a member that restores under a wrong one is on its own. */
const losing = fc.oneof(
  { weight: 30, arbitrary: go },
  { weight: 1, arbitrary: crash },
  { weight: 1, arbitrary: pass },
  { weight: 2, arbitrary: backUp },
  { weight: 2, arbitrary: restore },
)
type Of<A> = A extends fc.Arbitrary<infer T> ? T : never
export type Move = Of<typeof move> | Of<typeof losing>

/** In which members lose their disks. */
export const losses = () => schedules(fc.constant(null), losing)

/** @param cheat who breaks the rules; by default nobody does */
export function schedules(cheat: fc.Arbitrary<Cheat | null> = fc.constant(null), moves: fc.Arbitrary<Move> = move) {
  return fc
    .record({
      questions: fc.oneof(
        { weight: 6, arbitrary: fc.array(question, { minLength: 1, maxLength: 1 }) },
        { weight: 1, arbitrary: fc.array(question, { minLength: 2, maxLength: 3 }) },
      ),
      moves: fc.array(moves, { maxLength: 60, size: 'max' }),
      /** What becomes of the coordinator's additions, one after the other; later ones succeed. */
      sums: fc.array(fc.constantFrom('made' as const, 'fails' as const, 'dies' as const), { maxLength: 2 }),
      /** Sums are so large that a custodian is drawn to add them up again. */
      recounts: fc.boolean(),
      /** A member whose policy refuses. */
      refusing: rarely(fc.constantFrom(...MEMBERS), null),
      /** Rarely, for they double what there is to do. */
      reforms: fc.oneof(
        { weight: 19, arbitrary: fc.constant<Reform[]>([]) },
        { weight: 1, arbitrary: fc.array(reform, { minLength: 1, maxLength: 2 }) },
      ),
      cheat,
    })
    .map(schedule => ({ ...schedule, questions: [...schedule.questions, ...askedAfter(schedule)] }))
}

/** New custodians are asked to agree to something. */
function askedAfter({
  questions,
  reforms,
}: {
  questions: readonly Question[]
  reforms: readonly Reform[]
}): Question[] {
  const [first] = questions
  return first === undefined || reforms.length === 0 ? [] : [{ ...first, at: REFORMED, withdrawn: null }]
}
export type Schedule = ReturnType<typeof schedules> extends fc.Arbitrary<infer T> ? T : never
