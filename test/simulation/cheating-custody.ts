import { packShare } from '#crypto/packing.ts'
import { CELLS_PER_CHUNK } from '#crypto/parameters.ts'
import { seal } from '#crypto/sealing.ts'
import { messageId } from '#crypto/signature.ts'
import type { WorkItem } from '#specs/api.ts'
import {
  agreement,
  cohort,
  type ManifestId,
  type MemberId,
  manifest,
  prekey,
  type RoundId,
  round,
} from '#specs/messages.ts'
import { shareContext } from '#specs/sealed-context.ts'
import { claims, sign } from '#specs/signed.ts'
import type { Federation } from '../federation.ts'
import { seededRandomness } from '../randomness.ts'
import { type Adversary, jsonOf, keyOf, roomOf, select, sharing, taken, working } from './adversary.ts'
import { MEMBERS, THRESHOLD } from './members.ts'

interface Closed {
  readonly id: RoundId
  readonly compact: string
  readonly query: string
  readonly cohort: string
}

const closedRounds = (federation: Federation) =>
  select<Closed>(
    federation,
    `SELECT rounds.id, rounds.compact, queries.compact AS query, cohort FROM rounds JOIN queries ON queries.id = query
     WHERE cohort IS NOT NULL AND state != 'void'`,
  )

/**
 * A coordinator that has another cohort of each round, without one member; shows each custodian first the one, then also the
 * other; and asks everybody to open with whatever agreements there are.
 */
export function otherCohorts(
  federation: Federation,
  leftOut: string,
  othersFirst: (place: number) => boolean,
): Adversary {
  /** By cohort and custodian. */
  const agreements = new Map<string, Map<string, string>>()
  const others = new Map<string, string>()
  const shown = new Map<string, string>()
  const signedTo = (compact: string) => agreements.get(messageId(compact)) ?? new Map<string, string>()

  async function cohortsOf(row: Closed): Promise<string[]> {
    const { payload } = claims(cohort, row.cohort)
    const manifests = payload.manifests.filter(one => one.member !== leftOut)
    if (!others.has(row.id)) {
      others.set(row.id, (await sign(keyOf(federation), cohort, { ...payload, manifests })).compact)
    }
    return [row.cohort, others.get(row.id) as string]
  }

  async function itemsFor(who: string, row: Closed): Promise<WorkItem[]> {
    const cohorts = await cohortsOf(row)
    const place = MEMBERS.indexOf(who as MemberId)
    const next = (othersFirst(place) ? cohorts.toReversed() : cohorts).find(one => !signedTo(one).has(who))
    if (next !== undefined) shown.set(`${who} ${row.id}`, next)
    const enough = cohorts.map(one => [...signedTo(one).values()]).filter(signed => signed.length >= THRESHOLD)
    const mixed = cohorts.flatMap(one => [...signedTo(one).values()])
    return [
      ...(next === undefined ? [] : [{ kind: 'agree', ...row, round: row.compact, cohort: next } as const]),
      ...(cohorts.some(one => signedTo(one).has(who)) && mixed.length >= THRESHOLD ? [...enough, mixed] : []).map(
        signed => ({ kind: 'open', round: row.id, agreements: signed }) as const,
      ),
    ]
  }

  const work = working(async (who, items) => [
    ...items.filter(item => item.kind !== 'agree' && item.kind !== 'open'),
    ...(await Promise.all(closedRounds(federation).map(row => itemsFor(who, row)))).flat(),
  ])
  const shares = sharing(async (who, id, frames) => {
    const members = claims(cohort, shown.get(`${who} ${id}`) ?? '').payload.manifests.map(one => one.member)
    return frames.filter(one => members.includes(claims(manifest, one.manifest).payload.member))
  })
  return {
    take: async message => {
      const { what } = roomOf(message)
      if (what === 'refusals' && jsonOf(message).refusal) return taken()
      if (what === 'openings') return taken()
      if (what !== 'agreements') return undefined
      const { agreement: compact } = jsonOf(message)
      const { payload } = claims(agreement, compact)
      agreements.set(payload.cohort, (agreements.get(payload.cohort) ?? new Map()).set(payload.custodian, compact))
      return taken()
    },
    show: async (message, answer) => (await work(message, answer)) ?? (await shares(message, answer)),
  }
}

/** A coordinator that asks the first custodian to open when it alone has agreed, and the others to agree only after that. */
export function fewAgreements(federation: Federation): Adversary {
  return {
    show: working(async (who, items) => {
      const own = select<{ round: RoundId; compact: string; opened: number }>(
        federation,
        `SELECT round, compact, EXISTS (SELECT 1 FROM openings WHERE openings.round = agreements.round) AS opened
         FROM agreements WHERE custodian = ?`,
        MEMBERS[0],
      )
      if (who !== MEMBERS[0]) {
        const opened = own.filter(one => one.opened === 1).map(one => one.round)
        return items.filter(item => item.kind !== 'agree' || opened.includes(messageId(item.round) as RoundId))
      }
      const early = own.map((one): WorkItem => ({ kind: 'open', round: one.round, agreements: [one.compact] }))
      return [...items.filter(item => item.kind !== 'open'), ...early]
    }),
  }
}

/** A coordinator that names, for one member, a contribution that it never made, and hands out no share of it. */
export function inventedContribution(federation: Federation): Adversary {
  const invent = async (compact: string) => {
    const { payload } = claims(cohort, compact)
    const manifests = payload.manifests.map(one =>
      one.member === 'KR' ? { ...one, manifest: '0'.repeat(64) as ManifestId } : one,
    )
    return (await sign(keyOf(federation), cohort, { ...payload, manifests })).compact
  }
  return {
    show: working(async (_, items) =>
      Promise.all(
        items.map(async item => (item.kind === 'agree' ? { ...item, cohort: await invent(item.cohort) } : item)),
      ),
    ),
  }
}

const randomness = seededRandomness('adversary')

/** A coordinator that hands every custodian a share of its own making in the place of one dealer's. */
export function otherShares(federation: Federation): Adversary {
  return {
    show: sharing(async (who, id, frames) => {
      const [announced] = select<{ compact: string }>(federation, 'SELECT compact FROM rounds WHERE id = ?', id)
      const prekeys = claims(round, announced?.compact ?? '').payload.prekeys
      const own = prekeys.find(compact => claims(prekey, compact).payload.custodian === who) ?? ''
      const to = Buffer.from(claims(prekey, own).payload.publicKey, 'base64url')
      return Promise.all(
        frames.map(async frame => {
          const { member: dealer, ciphertext } = claims(manifest, frame.manifest).payload
          if (dealer !== 'BR') return frame
          const context = shareContext({
            round: id as RoundId,
            dealer,
            custodian: who as MemberId,
            prekey: messageId(own),
            ciphertext,
          })
          const share = packShare(new Int32Array(CELLS_PER_CHUNK))
          return { ...frame, share: await seal('inbond/share/v1', to, context, share, randomness) }
        }),
      )
    }),
  }
}
