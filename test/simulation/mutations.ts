import type { MemberId } from '#specs/messages.ts'
import { type Edit, edit } from '../edits.ts'
import type { Cheat } from './adversaries.ts'
import type { InvariantName } from './invariants.ts'
import type { Schedule } from './schedule.ts'
import { AT_REST, REFORMED } from './stages.ts'

/**
 * A protection that is switched off, with every other that would stand in for it: then some schedule must break an invariant.
 * Where the text of a protection alone is removed and another one holds, the entry edits both and its name says so.
 */
export interface Mutation {
  readonly name: string
  readonly edits: readonly Edit[]
  readonly breaks: InvariantName
  /** Who must cheat for it. */
  readonly cheat: Cheat | null
  /** What is tried before anything is generated. */
  readonly first?: Partial<Schedule> | readonly Partial<Schedule>[]
}

const CUSTODY = 'member-node/custody.ts'
const ANSWER = 'member-node/answer.ts'
const ANNOUNCEMENTS = 'member-node/announcements.ts'
const NODE_CHARTERS = 'member-node/charters.ts'
const NODE_TABLES = 'member-node/migrations/0000_first.sql'
const NODE_TRIGGERS = 'member-node/migrations/0001_at-most-once.sql'
const RESTORATIONS = 'member-node/migrations/0003_trust-constraints.sql'
const COHORT = 'specs/rules/cohort.ts'
const CONTEXT = 'specs/sealed-context.ts'
const ONE_SHOT = 'crypto/one-shot.ts'
const RESEARCHER = 'specs/rules/researcher.ts'
const READING = 'researcher/reading.ts'

const ask = (change: Partial<Schedule['questions'][number]> = {}): Schedule['questions'] => [
  { at: 0, need: '{ atLeast: 3 }', closes: '1h', large: false, withdrawn: null, ...change },
]
const two = [...ask(), ...ask()]
/** The last member refuses, when the others have contributed. */
const refused: Partial<Schedule> = { questions: ask({ need: 'all' }), refusing: 'KR' as Schedule['refusing'] }

/** Loses every request for a while, when so many things have happened in their order. */
const losing = (moves: number): Partial<Schedule> => ({
  moves: [
    ...Array(moves).fill({ do: 'go', pick: 0, fault: 'none' }),
    ...Array(6).fill({ do: 'go', pick: 0, fault: 'lost' }),
    { do: 'pass', milliseconds: 1000 },
  ],
})

/** How many requests come before the one that has to be lost changes with every request more. */
const around = (moves: number) => [0, 1, -1, 2, -2, 3, -3, 4, -4, 6, -6, 8, -8].map(more => moves + more)
const losingAround = (moves: number) => around(moves).map(losing)

/** One custodian is away while the others agree and open, and is one of the next charter's. */
const replacedCustodian: Partial<Schedule> = {
  questions: [...ask({ closes: '10m' }), ...ask({ at: REFORMED })],
  moves: [
    { do: 'leave', who: 'KR' as MemberId, moves: 200 },
    ...Array(60).fill({ do: 'go', pick: 0, fault: 'none' }),
    ...Array(2).fill({ do: 'pass', milliseconds: 300_000 }),
    ...Array(90).fill({ do: 'go', pick: 0, fault: 'none' }),
    { do: 'pass', milliseconds: 86_400_000 },
  ],
  reforms: [{ at: AT_REST, custodians: ['BR', 'FR', 'KR'] as MemberId[] }],
}

/** The rule on overlapping cohorts refuses the second one as well. */
const agreesAgain = [
  edit('member-node/ledger.ts', 'if (isHidden) throw', 'if (isHidden === null) throw'),
  edit(
    'member-node/ledger.ts',
    'counting.some(one => one.query === round.query.id)',
    'counting.some(one => one.query === null)',
  ),
  edit(CUSTODY, 'if (stored && stored.cohort !== cohort.id)', 'if (stored === null)'),
  edit(CUSTODY, 'stored?.compact ?? (await receiveAndAgree(', '(await receiveAndAgree('),
]
/** BR loses its disk after so many things, and what it sent last does not arrive. */
const losingTheDisk = (moves: number): Partial<Schedule> => ({
  moves: [
    { do: 'back up', who: 'BR' },
    ...(losing(moves).moves ?? []),
    { do: 'restore', who: 'BR' },
    { do: 'pass', milliseconds: 1000 },
  ],
})
const saysNothingNew = edit('member-node/restored.ts', "throw fault('restored-since'", "void fault('restored-since'")
const confirmsAgain = [
  edit(NODE_CHARTERS, 'if (confirmed && confirmed.charter !== id)', 'if (confirmed === null)'),
  edit(NODE_CHARTERS, 'ownConfirmation(node, current.id) ?? (await sign(', '(await sign('),
  edit(NODE_CHARTERS, '    if (ownConfirmation({ db: tx }, current.id)) return\n'),
]
const budget = edit(
  ONE_SHOT,
  'if (noiseBudget < smallestNoiseBudget(sealed.contributors)) return undefined',
  'if (noiseBudget < 0) return undefined',
)
const addsUpAgain = edit(READING, '  if (custodian === null) {', '  if (custodian === null && total.length === 0) {')
const sameCohort = edit(COHORT, ' || payload.cohort !== to) {', ') {')

export const mutations: readonly Mutation[] = [
  {
    name: 'a custodian agrees once: its code, so that the table refuses',
    edits: agreesAgain,
    breaks: 'nothingUnexpected',
    cheat: 'two cohorts',
  },
  {
    name: 'a custodian agrees once: its code and its tables',
    edits: [
      ...agreesAgain,
      edit(
        CUSTODY,
        '.values({ round: round.id, ...share })',
        '.values({ round: round.id, ...share }).onConflictDoNothing()',
      ),
      edit(
        NODE_TABLES,
        'CREATE TABLE `agreements` (\n\t`round` text PRIMARY KEY NOT NULL,',
        'CREATE TABLE `agreements` (\n\t`round` text NOT NULL,',
      ),
      edit(NODE_TRIGGERS, 'WHEN EXISTS (SELECT 1 FROM `agreements` WHERE `round` = NEW.`round`)', 'WHEN 0'),
    ],
    breaks: 'oneCohortARound',
    cheat: 'two cohorts',
  },
  {
    name: 'a cohort has the minimum without the recipient’s own administration',
    edits: [edit(COHORT, 'counted.length < terms.minimumCohort', 'counted.length < 0')],
    breaks: 'nothingBelowTheMinimum',
    cheat: 'small cohort',
  },
  {
    name: 'a custodian opens what the threshold agreed to',
    edits: [edit(CUSTODY, 'signers.length < threshold', 'signers.length < 0')],
    breaks: 'openedWithThreshold',
    cheat: 'few agreements',
  },
  {
    name: 'agreements to another cohort do not count',
    edits: [sameCohort],
    breaks: 'openedWithThreshold',
    cheat: 'two cohorts',
  },
  {
    name: 'a share is the one that the manifest names',
    edits: [edit(CUSTODY, 'if (sha256(sealed) !== expected) {', "if (expected === '') {")],
    breaks: 'sharesAsDealt',
    cheat: 'other shares',
  },
  {
    name: 'a share is bound to its dealer; and, standing in for it, a ciphertext counts once: coordinator, its table, custodian',
    edits: [
      edit(CONTEXT, 'share.dealer, '),
      edit(
        'coordinator/uploads.ts',
        'if (context.db.select().from(contributions).where(copy).get()) {',
        'if (copy === undefined) {',
      ),
      edit(
        'coordinator/migrations/0000_first.sql',
        'CREATE UNIQUE INDEX `contributions_round_ciphertext_unique`',
        'CREATE INDEX `contributions_round_ciphertext_unique`',
      ),
      edit(
        CUSTODY,
        'if (new Set(received.map(one => one.ciphertext)).size !== received.length) {',
        'if (received.length === 0) {',
      ),
    ],
    breaks: 'everythingOnce',
    cheat: 'copied contribution',
  },
  {
    name: 'a cohort names what its members made: the custodian’s look at its own, and the manifests',
    edits: [
      edit(CUSTODY, '  checkOwnContribution(node, round, cohort)\n'),
      edit(COHORT, 'if (named?.manifest !== signed.id) throw', 'if (named === undefined) throw'),
    ],
    breaks: 'unknownContributions',
    cheat: 'invented contribution',
  },
  {
    name: 'a restored node says nothing new in rounds of before: its code, so that the table refuses',
    edits: [saysNothingNew],
    breaks: 'nothingUnexpected',
    cheat: null,
    first: around(24).map(losingTheDisk),
  },
  {
    name: 'a restored node says nothing new in rounds of before: its code and its table',
    edits: [
      saysNothingNew,
      edit(RESTORATIONS, 'BEFORE INSERT ON `contributions` WHEN ', 'BEFORE INSERT ON `contributions` WHEN 0 AND '),
    ],
    breaks: 'alwaysTheSameBytes',
    cheat: null,
    first: around(24).map(losingTheDisk),
  },
  {
    name: 'a prekey serves one round',
    edits: [
      edit(
        ANNOUNCEMENTS,
        "if (seen) throw fault('prekey-used'",
        "if (seen) continue\n      if (seen) throw fault('prekey-used'",
      ),
    ],
    breaks: 'everythingOnce',
    cheat: 'reused prekeys',
    first: { questions: two },
  },
  {
    name: 'a query has one round: its code, so that the table refuses',
    edits: [edit(ANNOUNCEMENTS, 'if (other) throw', 'if (other === null) throw')],
    breaks: 'nothingUnexpected',
    cheat: 'two rounds',
  },
  {
    name: 'a query has one round: its code and its table',
    edits: [
      edit(ANNOUNCEMENTS, 'if (other) throw', 'if (other === null) throw'),
      edit(NODE_TABLES, 'CREATE UNIQUE INDEX `rounds_query_unique`', 'CREATE INDEX `rounds_query_unique`'),
    ],
    breaks: 'everythingOnce',
    cheat: 'two rounds',
  },
  {
    name: 'a cell is within its bound',
    edits: [edit(ONE_SHOT, '  checkCells(cells, dealing.bound)\n')],
    breaks: 'answersEqualPlaintext',
    cheat: null,
    first: { questions: ask({ large: true }) },
  },
  {
    name: 'a prekey is signed by its custodian',
    edits: [
      edit('specs/rules/round.ts', 'verify(prekey, compact, entry.publicKey)', 'verify(prekey, compact, coordinator)'),
    ],
    breaks: 'sealedToItsReaders',
    cheat: 'false prekeys',
  },
  {
    name: 'a query is signed by its researcher',
    edits: [
      edit(
        'specs/rules/researcher.ts',
        'verify(query, compact, researcher.publicKey)',
        'verify(query, compact, charter.payload.coordinator)',
      ),
    ],
    breaks: 'sealedToItsReaders',
    cheat: 'another recipient',
  },
  {
    name: 'a member on the roster vouches for a researcher',
    edits: [
      edit(
        RESEARCHER,
        'verify(sponsorship, compact, entry.publicKey)',
        'verify(sponsorship, compact, entry.publicKey).catch(() => verify(sponsorship, compact, terms.coordinator))',
      ),
    ],
    breaks: 'answersTheVouchedFor',
    cheat: 'invented researcher',
  },
  {
    name: 'a certificate says what the sponsor signed',
    edits: [edit(RESEARCHER, 'if (strayed !== undefined) {', "if (strayed === 'publicKey') {")],
    breaks: 'answersTheVouchedFor',
    cheat: 'changed certificate',
  },
  {
    name: 'a member confirms one charter after another: its code, so that the table refuses',
    edits: confirmsAgain,
    breaks: 'nothingUnexpected',
    cheat: 'forked charter',
  },
  {
    name: 'a member confirms one charter after another: its code and its tables',
    edits: [
      ...confirmsAgain,
      edit(
        'member-node/migrations/0002_trust.sql',
        'CREATE TABLE `confirmations` (\n\t`previous` text PRIMARY KEY NOT NULL,',
        'CREATE TABLE `confirmations` (\n\t`previous` text NOT NULL,',
      ),
      edit(
        'member-node/migrations/0003_trust-constraints.sql',
        'WHEN EXISTS (SELECT 1 FROM `confirmations` WHERE `previous` = NEW.`previous`)',
        'WHEN 0',
      ),
    ],
    breaks: 'oneCharterAnEpoch',
    cheat: 'forked charter',
  },
  {
    name: 'a charter is in force when the quorum confirmed it',
    edits: [edit('specs/rules/charter.ts', 'if (confirmations.needed > 0) {', 'if (confirmations === undefined) {')],
    breaks: 'oneCharterAnEpoch',
    cheat: 'forked charter',
  },
  {
    name: 'custodians read the log: when they sign, are asked and agree; and hold it against what they agreed to themselves',
    edits: [
      edit('member-node/consents.ts', '  if (current) await requireSameLog(node, current, proposal, signal)\n'),
      edit('member-node/consents.ts', 'requireLogged(tx, payload.logHead)', 'tx.select()'),
      edit(ANNOUNCEMENTS, '    await followLog(node, round.round.logHead, signal)\n'),
      edit(CUSTODY, '    requireNamed(tx, round)\n'),
      edit('member-node/ledger.ts', 'if (isHidden) throw', 'if (isHidden === null) throw'),
      edit('member-node/ledger.ts', '  await followLog(node, next.payload.logHead, signal)\n'),
      edit(
        'member-node/ledger.ts',
        'round.charter.payload\n  if (previous !== null) await followLog(node, logHead, signal)\n',
        'round.charter.payload\n',
      ),
    ],
    breaks: 'handedOver',
    cheat: null,
    first: replacedCustodian,
  },
  {
    name: 'a sum leaves the noise budget',
    edits: [budget],
    breaks: 'answersEqualPlaintext',
    cheat: 'bad ciphertext',
  },
  {
    name: 'a key is accepted only if it is short and leaves the noise budget, whoever lies: either holds alone',
    edits: [edit(ONE_SHOT, 'Math.abs(coefficient) > longest', 'Math.abs(coefficient) > Infinity'), budget],
    breaks: 'answersEqualPlaintext',
    cheat: 'lying custodian',
  },
  {
    name: 'a key is accepted only if it is short and leaves the noise budget: either holds alone',
    edits: [edit(ONE_SHOT, 'Math.abs(coefficient) > longest', 'Math.abs(coefficient) > Infinity'), budget],
    breaks: 'answersEqualPlaintext',
    cheat: 'inconsistent dealing',
  },
  { name: 'the recipient adds up again', edits: [addsUpAgain], breaks: 'answersEqualPlaintext', cheat: 'shifted sum' },
  {
    name: 'what the drawn custodian adds up is the sum',
    edits: [
      edit(
        'specs/rules/recount.ts',
        '  if (payload.ciphertext !== of.payload.ciphertext) {',
        '  if (payload.round !== round.id) {',
      ),
    ],
    breaks: 'answersEqualPlaintext',
    cheat: 'shifted sum',
    first: { recounts: true },
  },
  {
    name: 'the recipient reads the cohort that was opened: agreements, openings, their seals, and the addition',
    edits: [
      sameCohort,
      edit('researcher/evidence.ts', ' || payload.cohort !== cohort.id || payload[form]', ' || payload[form]'),
      edit(CONTEXT, 'opening.cohort, '),
      addsUpAgain,
    ],
    breaks: 'answersEqualPlaintext',
    cheat: 'concealed member',
  },
  {
    name: 'an answer is in the log that everybody was told of: the heads that its documents name, and the last one seen',
    edits: [
      edit('specs/rules/log.ts', 'for (const which of headed) {', 'for (const which of headed.slice(3)) {'),
      edit(READING, '  await followLog(researcher, checked.log, before, signal)\n'),
    ],
    breaks: 'oneHistory',
    cheat: 'concealed rounds',
    first: { questions: two },
  },
  {
    name: 'a contribution is sent again as it was stored: its code, so that the table refuses',
    edits: [edit(ANSWER, 'storedContribution(node, round.id) ?? ')],
    breaks: 'nothingUnexpected',
    cheat: null,
    first: losingAround(24),
  },
  {
    name: 'a contribution is stored before it is sent',
    edits: [edit(ANSWER, 'createdAt: node.clock.now() })\n      .run()', 'createdAt: node.clock.now() })')],
    breaks: 'storedBeforeSent',
    cheat: null,
  },
  {
    name: 'an opening is sent again as it was stored',
    edits: [
      edit(
        CUSTODY,
        'stored ?? (await makeOpening(node, asked))',
        'stored && stored.round === "" ? stored : await makeOpening(node, asked)',
      ),
    ],
    breaks: 'nobodyRefusesWhatItDid',
    cheat: null,
    first: losingAround(92),
  },
  {
    name: 'shares are forgotten when they are opened',
    edits: [edit(CUSTODY, '    tx.delete(shares).where(eq(shares.round, round.id)).run()\n')],
    breaks: 'forgottenWhenOpened',
    cheat: null,
  },
  {
    name: 'the prekey is forgotten when it has opened',
    edits: [
      edit(CUSTODY, '    tx.update(prekeys).set({ privateKey: null }).where(eq(prekeys.round, round.id)).run()\n'),
    ],
    breaks: 'forgottenWhenOpened',
    cheat: null,
  },
  {
    name: 'the prekey of a round that is over is forgotten',
    edits: [edit(CUSTODY, '  tx.update(prekeys).set({ privateKey: null }).where(inArray(prekeys.id, named)).run()\n')],
    breaks: 'nothingRemains',
    cheat: null,
    first: refused,
  },
  {
    name: 'the ciphertext of a round that is over is removed',
    edits: [edit('member-node/work.ts', 'for (const one of [file, partOf(file)]) await rm(one, { force: true })')],
    breaks: 'nothingRemains',
    cheat: null,
  },
  {
    name: 'the contributions to a void round are removed',
    edits: [
      edit(
        'coordinator/lifecycle.ts',
        'await rm(roundFolder(this.#context, row.id), { recursive: true, force: true })',
      ),
    ],
    breaks: 'nothingRemains',
    cheat: null,
    first: refused,
  },
  {
    name: 'a void round has its reason',
    edits: [edit('coordinator/lifecycle.ts', 'endedAt: now, reason: step.reason })', 'endedAt: now })')],
    breaks: 'everyQueryEnds',
    cheat: null,
    first: refused,
  },
  {
    name: 'the key to an answer that was read is forgotten',
    edits: [edit(READING, 'answer: JSON.stringify(answer), privateKey: null', 'answer: JSON.stringify(answer)')],
    breaks: 'answersStay',
    cheat: null,
  },
  {
    name: 'the key to an answer that never came is forgotten',
    edits: [edit('researcher/client.ts', 'set({ voidReason, privateKey: null, seed: null })', 'set({ voidReason })')],
    breaks: 'answersStay',
    cheat: null,
    first: refused,
  },
]
