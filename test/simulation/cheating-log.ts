import type { EventLog } from '#coordinator/event-log.ts'
import type { AnswerEvidence } from '#specs/api.ts'
import { entriesOf } from '#specs/rules/log.ts'
import type { Federation } from '../federation.ts'
import { entriesIn, historyOf, shownOf } from '../forked-log.ts'
import { type Adversary, roomOf } from './adversary.ts'
import { pathOf } from './network.ts'

/** A coordinator that shows the recipient of each answer a log in which nothing else ever happened. */
export function concealedRounds(federation: Federation): Adversary {
  let shown: EventLog | undefined
  return {
    show: async (message, answer) => {
      if (roomOf(message).what === 'answer') {
        const { context } = federation.coordinator
        const own = entriesOf((await answer.clone().json()) as AnswerEvidence).map(one => one.message)
        shown = historyOf(
          context,
          entriesIn(context).filter(one => own.includes(one.message)),
        )
      }
      return shown === undefined ? undefined : shownOf(shown, pathOf(message), answer)
    },
  }
}
