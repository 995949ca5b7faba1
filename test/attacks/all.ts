import { attacks as alteredRelease } from './altered-release.ts'
import { attacks as alteredSum } from './altered-sum.ts'
import type { Attack } from './attack.ts'
import { attacks as badCiphertext } from './bad-ciphertext.ts'
import { attacks as changedCharter } from './changed-charter.ts'
import { attacks as changedQuery } from './changed-query.ts'
import { attacks as contributionOfAnotherRound } from './contribution-of-another-round.ts'
import { attacks as contributionUnderAnotherName } from './contribution-under-another-name.ts'
import { attacks as decisionOfOne } from './decision-of-one.ts'
import { attacks as differentHistories } from './different-histories.ts'
import { attacks as floods } from './floods.ts'
import { attacks as formerMember } from './former-member.ts'
import { attacks as hiddenCohort } from './hidden-cohort.ts'
import { attacks as inconsistentShares } from './inconsistent-shares.ts'
import { attacks as injections } from './injections.ts'
import { attacks as inventedResearcher } from './invented-researcher.ts'
import { attacks as lyingCustodian } from './lying-custodian.ts'
import { attacks as olderCharter } from './older-charter.ts'
import { attacks as overlappingQuestions } from './overlapping-questions.ts'
import { attacks as policyOfOne } from './policy-of-one.ts'
import { attacks as poolingCustodians } from './pooling-custodians.ts'
import { attacks as prekeysOfTheCoordinator } from './prekeys-of-the-coordinator.ts'
import { attacks as restoredCustodian } from './restored-custodian.ts'
import { attacks as restoredMember } from './restored-member.ts'
import { attacks as smallCohorts } from './small-cohorts.ts'
import { attacks as smallGroupOfTraders } from './small-group-of-traders.ts'
import { attacks as sockPuppets } from './sock-puppets.ts'
import { attacks as stolenDisks } from './stolen-disks.ts'
import { attacks as stolenKey } from './stolen-key.ts'
import { attacks as stranger } from './stranger.ts'
import { attacks as twoCohorts } from './two-cohorts.ts'
import { attacks as unwrittenPolicy } from './unwritten-policy.ts'

/** In the order of the table. */
export const attacks: readonly Attack[] = [
  ...prekeysOfTheCoordinator,
  ...smallCohorts,
  ...sockPuppets,
  ...twoCohorts,
  ...overlappingQuestions,
  ...hiddenCohort,
  ...contributionUnderAnotherName,
  ...contributionOfAnotherRound,
  ...changedQuery,
  ...changedCharter,
  ...stranger,
  ...formerMember,
  ...stolenKey,
  ...olderCharter,
  ...inventedResearcher,
  ...smallGroupOfTraders,
  ...lyingCustodian,
  ...inconsistentShares,
  ...badCiphertext,
  ...poolingCustodians,
  ...stolenDisks,
  ...restoredCustodian,
  ...restoredMember,
  ...unwrittenPolicy,
  ...decisionOfOne,
  ...policyOfOne,
  ...injections,
  ...floods,
  ...differentHistories,
  ...alteredSum,
  ...alteredRelease,
]
