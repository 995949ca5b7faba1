import { claims, verify } from './fields.ts'
import { readIdToken } from './id-token.ts'
import { Refusal } from './parameters.ts'
import { fingerprint, type Message, messageId } from './signatures.ts'

/** What a reader checks beyond each signature: "Refused" in specs/messages.md, of charter, query, round, manifest, cohort, agreement. */

const DAY_MS = 86_400_000
const CLOCK_TOLERANCE_MS = 120_000

type Fields = Record<string, unknown>

function require(holds: boolean, code: string, reason: string): void {
  if (!holds) throw new Refusal(code, reason)
}

function distinct(items: readonly unknown[]): boolean {
  return new Set(items).size === items.length
}

export interface Terms {
  readonly id: string
  readonly coordinator: string
  readonly federation: string
  readonly members: readonly { readonly id: string; readonly publicKey: string }[]
  readonly custodians: readonly string[]
  readonly threshold: number
  readonly quorum?: number | null
  readonly minimumCohort: number
}

export function verifyCharter(compact: string, coordinator: string): Terms {
  const { id, payload } = verify(compact, 'inbond-charter', coordinator)
  const terms = { ...payload, id, federation: fingerprint(coordinator) } as unknown as Terms
  const { members, custodians, threshold } = terms
  const quorum = terms.quorum ?? members.length - 1
  const names = members.map(one => one.id)
  const sound =
    terms.coordinator === coordinator &&
    distinct(names) &&
    distinct(members.map(one => one.publicKey)) &&
    distinct(custodians) &&
    custodians.every(one => names.includes(one)) &&
    threshold >= Math.ceil(custodians.length / 2) + 1 &&
    threshold <= custodians.length &&
    quorum > members.length / 2 &&
    quorum < members.length
  require(sound, 'bad-charter', 'the charter breaks a rule')
  return terms
}

function keyOf(terms: Terms, member: unknown, code: string): string {
  const entry = terms.members.find(one => one.id === member)
  if (!entry) throw new Refusal(code, `${member} is not on the roster`)
  return entry.publicKey
}

export interface RoundCustodian {
  readonly id: string
  readonly number: number
  readonly prekey: string
}

export interface Round {
  readonly id: string
  readonly terms: Terms
  readonly query: Message
  readonly administration: unknown
  readonly eligible: readonly string[]
  readonly custodians: readonly RoundCustodian[]
}

/** A sponsor on the roster vouches, and the coordinator says nothing beyond it. */
function verifyCertificate(terms: Terms, compact: string): Fields {
  const certificate = verify(compact, 'inbond-researcher-certificate', terms.coordinator).payload
  const sponsored = claims(certificate.sponsorship as string, 'inbond-sponsorship')
  const key = keyOf(terms, sponsored.sponsor, 'bad-certificate')
  const { payload: said } = verify(certificate.sponsorship as string, 'inbond-sponsorship', key)
  const purposes = said.purposes as string[]
  const { name, publicKey, until } = whoIs(certificate, said)
  const sound =
    certificate.federation === terms.federation &&
    said.federation === terms.federation &&
    (said.administration === null || said.administration === said.sponsor) &&
    certificate.name === name &&
    certificate.publicKey === publicKey &&
    (said.of === 'organisation') === (certificate.idToken !== null) &&
    ['administration', 'organisation', 'role', 'sponsor'].every(field => certificate[field] === said[field]) &&
    (certificate.purposes as string[]).every(one => purposes.includes(one)) &&
    Date.parse(certificate.notAfter as string) <= until
  require(sound, 'bad-certificate', 'the certificate is not what its sponsor said')
  return { ...certificate, sponsoredUntil: said.notAfter }
}

/** Whom a sponsorship speaks of: a key, or whoever logged in. */
function whoIs(certificate: Fields, said: Fields): { name: unknown; publicKey: unknown; until: number } {
  const { name, publicKey } = said
  if (said.of === 'researcher') return { name, publicKey, until: Date.parse(said.notAfter as string) }
  if (certificate.idToken === null) throw new Refusal('bad-certificate', 'nobody logged in')
  const key = certificate.publicKey as string
  return { ...readIdToken(certificate.idToken as string, said, key), publicKey: key }
}

/** @param at milliseconds since 1970, of the reader's clock; undefined where a round is read that may be over */
export function verifyRound(terms: Terms, compact: string, query: string, at: number | undefined): Round {
  const { id, payload: round } = verify(compact, 'inbond-round', terms.coordinator)
  const certificate = verifyCertificate(terms, claims(query, 'inbond-query').certificate as string)
  const asked = verify(query, 'inbond-query', certificate.publicKey as string)
  const eligible = round.eligible as string[]
  const belongs =
    round.charter === terms.id &&
    asked.payload.charter === terms.id &&
    round.query === asked.id &&
    distinct(eligible) &&
    eligible.every(one => terms.members.some(member => member.id === one))
  require(belongs, 'bad-round', 'charter, query, certificate and members do not belong together')
  checkTimes(round, asked.payload, certificate, at)
  const { administration } = certificate
  return { id, terms, query: asked, administration, eligible, custodians: checkPrekeys(terms, round) }
}

function checkTimes(round: Fields, query: Fields, certificate: Fields, at: number | undefined): void {
  const time = (value: unknown) => Date.parse(value as string)
  const [opens, closes, ends] = [round.opens, round.closes, round.ends].map(time) as [number, number, number]
  const fitting =
    closes - opens === query.closesAfter &&
    ends - closes === query.closesAfter &&
    time(round.asOf) <= opens &&
    opens <= time(query.expires)
  require(fitting, 'bad-round', 'the times are not those of the query')
  const lasts =
    opens <= time(certificate.notAfter) && time(certificate.sponsoredUntil) <= opens + 366 * DAY_MS + CLOCK_TOLERANCE_MS
  require(lasts, 'bad-certificate', 'the certificate is over, or lasts too long')
  if (at === undefined) return
  require(opens <= at + CLOCK_TOLERANCE_MS, 'clock-skew', 'the round opens in the future')
  require(ends >= at - CLOCK_TOLERANCE_MS, 'too-late', 'the round is over')
}

function checkPrekeys(terms: Terms, round: Fields): RoundCustodian[] {
  const custodians = (round.prekeys as string[]).map(compact => {
    const { custodian } = claims(compact, 'inbond-prekey')
    const number = terms.custodians.indexOf(custodian as string) + 1
    require(number > 0, 'bad-round', `${custodian} is no custodian`)
    const { id, payload } = verify(compact, 'inbond-prekey', keyOf(terms, custodian, 'bad-round'))
    const [opens, ends, notAfter] = [round.opens, round.ends, payload.notAfter].map(time =>
      Date.parse(time as string),
    ) as [number, number, number]
    const lasts = notAfter > ends && notAfter <= opens + 30 * DAY_MS + CLOCK_TOLERANCE_MS
    require(payload.federation === terms.federation && lasts, 'bad-round', `the prekey of ${custodian}`)
    return { id: custodian as string, number, prekey: id }
  })
  const enough = distinct(custodians.map(one => one.id)) && custodians.length >= terms.threshold
  require(enough, 'bad-round', 'not the custodians that it takes')
  return custodians
}

/** What a member or custodian remembers: a query has one round, a prekey serves one round. */
export function recordRounds(rounds: readonly Round[]): void {
  const queries = new Map<string, string>()
  const prekeys = new Map<string, string>()
  for (const round of rounds) {
    require((queries.get(round.query.id) ?? round.id) === round.id, 'bad-round', 'the query had another round')
    queries.set(round.query.id, round.id)
    for (const { prekey } of round.custodians) {
      require((prekeys.get(prekey) ?? round.id) === round.id, 'prekey-used', 'the prekey served another round')
      prekeys.set(prekey, round.id)
    }
  }
}

export function verifyCohort(compact: string, round: Round): { id: string; members: string[]; manifests: string[] } {
  const { id, payload } = verify(compact, 'inbond-cohort', round.terms.coordinator)
  const named = payload.manifests as { member: string; manifest: string }[]
  const members = named.map(one => one.member)
  const manifests = named.map(one => one.manifest)
  const need = round.query.payload.need as 'all' | { atLeast: number }
  const counted = members.filter(one => one !== round.administration)
  const sound =
    payload.round === round.id &&
    distinct(members) &&
    distinct(manifests) &&
    members.every(one => round.eligible.includes(one)) &&
    members.length >= (need === 'all' ? round.eligible.length : need.atLeast) &&
    counted.length >= round.terms.minimumCohort
  require(sound, 'bad-cohort', 'the cohort breaks a rule')
  return { id, members, manifests }
}

/** Whether coverage has the months of a question once each, in order; of one without a period, any month once. */
function coversTheMonths(coverage: readonly { period: string }[], question: Fields): boolean {
  const months = coverage.map(one => one.period)
  if (!distinct(months)) return false
  const where = question.where as { dimension: string; from: string; to: string }[]
  const period = where.find(one => one.dimension === 'period')
  if (period === undefined) return true
  const first = period.from.length === 4 ? `${period.from}-01` : period.from
  const last = period.to.length === 4 ? `${period.to}-12` : period.to
  const count = (month: string) => Number(month.slice(0, 4)) * 12 + Number(month.slice(5))
  const complete = months.length === count(last) - count(first) + 1
  return complete && months.every((month, i) => count(month) === count(first) + i)
}

/** Whether a manifest is of this round, for its custodians and prekeys in their order, and as long as its question. */
export function fits(manifest: Fields, round: Round, slots: number): boolean {
  const shares = manifest.shares as { custodian: string; prekey: string }[]
  return (
    manifest.round === round.id &&
    manifest.slots === slots &&
    coversTheMonths(manifest.coverage as { period: string }[], round.query.payload.question as Fields) &&
    shares.length === round.custodians.length &&
    shares.every((share, i) => {
      const { id, prekey } = round.custodians[i] as RoundCustodian
      return share.custodian === id && share.prekey === prekey
    })
  )
}

export function verifyManifest(compact: string, round: Round, manifests: readonly string[], slots: number): Message {
  const { member } = claims(compact, 'inbond-manifest')
  const read = verify(compact, 'inbond-manifest', keyOf(round.terms, member, 'bad-cohort'))
  const sound = manifests.includes(messageId(compact)) && fits(read.payload, round, slots)
  require(sound, 'bad-cohort', `the manifest of ${member}`)
  return read
}

/** The custodians that agreed to this cohort. */
export function verifyAgreements(agreements: readonly string[], round: Round, cohort: string): string[] {
  return agreements.map(compact => {
    const claim = claims(compact, 'inbond-agreement')
    require(round.custodians.some(
      one => one.id === claim.custodian,
    ), 'bad-cohort', `${claim.custodian} is no custodian of the round`)
    const { payload } = verify(compact, 'inbond-agreement', keyOf(round.terms, claim.custodian, 'bad-cohort'))
    require(payload.round === round.id && payload.cohort === cohort, 'bad-cohort', 'agreed to another cohort')
    return claim.custodian as string
  })
}
