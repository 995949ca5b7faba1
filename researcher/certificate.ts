import { desc } from 'drizzle-orm'
import { InbondError } from '#crypto/error.ts'
import { mayPass } from '#party/connection.ts'
import { certificateAnswer } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { type Certificate, certificate, type MemberId, revocation } from '#specs/messages.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import { verifyCertificate } from '#specs/rules/researcher.ts'
import { claims } from '#specs/signed.ts'
import type { Researcher } from './researcher.ts'
import { certificates } from './schema.ts'

/** Whether this researcher may ask, as the coordinator and the members see it. */
export interface Standing {
  /** The member that is asked to vouch for it. */
  readonly sponsor: MemberId | null
  /** To ask with; null where there is an obstacle. */
  readonly certificate: string | null
  /** What keeps it from asking: no sponsorship yet, a certificate that is over or not valid, a revocation. */
  readonly obstacle: InbondError | null
}

/** Asks how it stands, and takes up a new certificate, verified as every member will. */
export async function askStanding(
  researcher: Researcher,
  charter: SignedCharter,
  signal?: AbortSignal,
): Promise<Standing> {
  const answer = await researcher.connection.get('/certificate', certificateAnswer, signal)
  const { sponsor } = answer
  try {
    if (answer.revocation !== null) {
      const { by, reason } = claims(revocation, answer.revocation).payload
      throw fault('researcher-revoked', `you were revoked by ${by ?? 'the coordinator'}: ${reason}`)
    }
    if (answer.certificate === null) {
      const print = researcher.key.fingerprint
      throw fault('not-sponsored', `${sponsor ?? 'no member'} is asked to vouch for you; your fingerprint is ${print}`)
    }
    await takeUp(researcher, answer.certificate, charter)
    return { sponsor, certificate: answer.certificate, obstacle: null }
  } catch (error) {
    if (!(error instanceof InbondError)) throw error
    return { sponsor, certificate: null, obstacle: error }
  }
}

async function takeUp({ key, clock, db }: Researcher, compact: string, charter: SignedCharter): Promise<void> {
  const { id, payload } = await verifyCertificate(compact, charter.payload)
  if (payload.publicKey !== key.publicKey) throw fault('bad-certificate', 'the certificate is of another researcher')
  if (Date.parse(payload.notAfter) <= clock.now()) {
    const day = payload.notAfter.slice(0, 10)
    throw fault('not-sponsored', `your certificate expired on ${day}; ${renewalOf(payload)}`)
  }
  db.insert(certificates).values({ id, compact, learnedAt: clock.now() }).onConflictDoNothing().run()
}

/** What it takes to have it renewed. */
export function renewalOf({ sponsor, idToken }: Pick<Certificate, 'sponsor' | 'idToken'>): string {
  return idToken === null ? `${sponsor} has to vouch for you again` : 'log in again'
}

/**
 * The certificate to ask with.
 * @throws InbondError `not-sponsored`, `researcher-revoked`, `bad-certificate`, …
 */
export async function fetchCertificate(researcher: Researcher, charter: SignedCharter): Promise<string> {
  const { certificate: compact, obstacle } = await askStanding(researcher, charter).catch(async error => {
    const known = await stillGood(researcher, charter)
    // The query is kept, and taken later: when the coordinator can be asked again, or the clock is right.
    if (known === undefined || !(mayPass(error) || error.code === 'clock-skew')) throw error
    return { certificate: known, obstacle: null }
  })
  if (compact === null) throw obstacle
  return compact
}

async function stillGood(researcher: Researcher, charter: SignedCharter): Promise<string | undefined> {
  const row = newest(researcher)
  if (row === undefined || Date.parse(claims(certificate, row.compact).payload.notAfter) <= researcher.clock.now())
    return
  await verifyCertificate(row.compact, charter.payload)
  return row.compact
}

function newest({ db }: Pick<Researcher, 'db'>) {
  return db.select().from(certificates).orderBy(desc(certificates.learnedAt)).limit(1).get()
}

/** What the newest certificate that was in hand says. */
export function knownCertificate(researcher: Pick<Researcher, 'db'>): Certificate | undefined {
  const row = newest(researcher)
  return row && claims(certificate, row.compact).payload
}
