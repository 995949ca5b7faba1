import { eq } from 'drizzle-orm'
import { fingerprint } from '#crypto/signature.ts'
import { fault } from '#specs/errors.ts'
import { certificate, login, type MemberId, type SponsorshipId, sponsorship } from '#specs/messages.ts'
import { checkTerm, loggedIn } from '#specs/rules/researcher.ts'
import { claims, PROTOCOL, sign, verify } from '#specs/signed.ts'
import { type Context, charterInForce } from './context.ts'
import { keepCertificate, refuseRevoked, revocationOf } from './researchers.ts'
import { logins, parties, sponsorships } from './schema.ts'

/** Researchers whom an organisation lets log in: nobody invites them, and nobody but its provider says who they are. */

/** Sponsorships of organisations under which somebody may log in now, in their compact form. */
export async function organisations(context: Context): Promise<string[]> {
  const rows = context.db.select().from(sponsorships).all()
  const may = await Promise.all(rows.map(one => mayLogIn(context, one)))
  return rows.filter((_, i) => may[i]).map(one => one.compact)
}

async function mayLogIn(context: Context, { compact, sponsor }: typeof sponsorships.$inferSelect): Promise<boolean> {
  const { kid, payload } = claims(sponsorship, compact)
  if (payload.of !== 'organisation' || Date.parse(payload.notAfter) <= context.clock.now()) return false
  const charter = charterInForce(context.db)?.payload
  const entry = charter?.members.find(one => one.id === sponsor)
  // What a key signed that was replaced since is taken by nobody.
  const counts = charter === undefined || (entry !== undefined && (await fingerprint(entry.publicKey)) === kid)
  return counts && revocationOf(context.db, { publicKey: '', sponsor, sponsorship: compact }) === undefined
}

/**
 * Certifies somebody whom an organisation let log in. Sent again, it gives the same certificate.
 * @returns the certificate, in its compact form
 * @throws InbondError `bad-id-token`, `bad-certificate`, `wrong-federation`, `already-enrolled`, `researcher-revoked`, `not-found`
 */
export async function takeLogin(context: Context, compact: string): Promise<string> {
  const { payload, id } = await verify(login, compact, claims(login, compact).payload.publicKey)
  if (payload.federation !== context.key.fingerprint) {
    throw fault('wrong-federation', 'this login is for another federation')
  }
  const print = await fingerprint(payload.publicKey)
  const before = context.db.select().from(logins).where(eq(logins.id, id)).get()
  const sponsored = sponsorshipCalled(context, payload.sponsorship)
  const now = context.clock.now()
  checkTerm(sponsored.payload, now)
  const { publicKey } = payload
  refuseRevoked(context.db, { publicKey, sponsor: sponsored.payload.sponsor, sponsorship: sponsored.compact })
  const said = await loggedIn(sponsored.payload, publicKey, payload.idToken, before ? undefined : now)
  const made = await sign(context.key, certificate, {
    protocol: PROTOCOL,
    federation: payload.federation,
    ...said,
    sponsorship: sponsored.compact,
  })
  if (before) return made.compact
  context.db.transaction(tx => {
    if (tx.select().from(logins).where(eq(logins.id, id)).get()) return
    enrolPerson(tx, print, compact, { ...said, enrolledAt: now })
    tx.insert(logins).values({ id, researcher: print, compact, receivedAt: now }).run()
    context.log.append(tx, login.typ, id, now)
    keepCertificate(context, tx, print, made)
  })
  context.tell({ msg: 'researcher logged in', party: print, sponsor: said.sponsor })
  return made.compact
}

/** With the first login a key is known here. One that was invited belongs to the name that it was invited under. */
function enrolPerson(
  tx: Parameters<Parameters<Context['db']['transaction']>[0]>[0],
  print: string,
  enrolment: string,
  said: { publicKey: string; name: string; sponsor: MemberId; enrolledAt: number },
): void {
  const known = tx.select().from(parties).where(eq(parties.fingerprint, print)).get()
  const isPerson = tx.select().from(logins).where(eq(logins.researcher, print)).get() !== undefined
  if (known && !isPerson) throw fault('already-enrolled', `the key is enrolled already, as ${known.subject}`)
  const { publicKey, name, sponsor, enrolledAt } = said
  if (known) {
    tx.update(parties).set({ sponsor }).where(eq(parties.fingerprint, print)).run()
    return
  }
  // Several people have one name; the names of those who were invited are told apart.
  const row = { role: 'researcher' as const, subject: `${name} (${print})`, publicKey, enrolment, sponsor, enrolledAt }
  tx.insert(parties)
    .values({ fingerprint: print, ...row })
    .run()
}

function sponsorshipCalled(context: Context, id: SponsorshipId) {
  const row = context.db.select().from(sponsorships).where(eq(sponsorships.id, id)).get()
  const payload = row && claims(sponsorship, row.compact).payload
  if (payload?.of !== 'organisation') throw fault('not-found', `there is no sponsored organisation ${id}`)
  return { compact: row?.compact as string, payload }
}
