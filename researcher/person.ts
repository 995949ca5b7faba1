import { messageId } from '#crypto/signature.ts'
import { type Followed, followCharters } from '#party/charter-chain.ts'
import { Connection } from '#party/connection.ts'
import { meetCoordinator } from '#party/invitation.ts'
import { loginReceipt, organisationList } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { type CharterId, login, type OrganisationSponsorship, type SponsorshipId } from '#specs/messages.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import { verifyCertificate, verifySponsorship } from '#specs/rules/researcher.ts'
import { PROTOCOL, sign } from '#specs/signed.ts'
import { logIn } from './login.ts'
import type { Researcher } from './researcher.ts'

/** What of a researcher it takes to become one. */
type Newcomer = Pick<Researcher, 'key' | 'to' | 'connection' | 'fetch' | 'clock' | 'randomness'>

interface Sponsored {
  readonly id: SponsorshipId
  readonly payload: OrganisationSponsorship
}

/**
 * Logs a person in with an organisation that a member vouches for, and has its key certified; again before that is over.
 * @param organisation as the member calls it, where there are several
 * @returns the person's name, as the provider has it
 * @throws InbondError `charter-pending`, `not-found`, `bad-option`, `login-failed`, `bad-id-token`, `bad-certificate`
 */
export async function becomeResearcher(
  newcomer: Newcomer,
  organisation: string | undefined,
  show: (address: string) => void,
  signal: AbortSignal,
): Promise<string> {
  const { key, to, connection, randomness } = newcomer
  const charter = await meetFederation(newcomer, signal)
  const sponsored = choose(await organisations(newcomer, charter, signal), organisation)
  const idToken = await logIn({ sponsored: sponsored.payload, publicKey: key.publicKey, randomness, show, signal })
  const signed = await sign(key, login, {
    protocol: PROTOCOL,
    federation: to.federation,
    publicKey: key.publicKey,
    sponsorship: sponsored.id,
    idToken,
  })
  const receipt = await connection.post('/logins', { login: signed.compact }, loginReceipt, signal)
  const { payload } = await verifyCertificate(receipt.certificate, charter.payload)
  if (payload.publicKey === key.publicKey) return payload.name
  throw fault('bad-certificate', 'the certificate is of another researcher')
}

/** The charter in force, followed from the first: nobody knows the key yet that could sign a token. */
async function meetFederation({ to, clock, fetch }: Newcomer, signal: AbortSignal): Promise<SignedCharter> {
  const { inForce } = await meetCoordinator(to, fetch)
  if (inForce === null) throw fault('charter-pending', 'the federation has no charter in force yet')
  const stranger = new Connection(to, undefined, clock, fetch)
  const id = messageId(inForce.charter) as CharterId
  const followed = await followCharters(stranger, to.federation, id, undefined, signal)
  return (followed.at(-1) as Followed).charter
}

/** Those that a member on the roster signed: a coordinator that makes one up would lead people to a provider of its own. */
async function organisations(
  { connection }: Newcomer,
  charter: SignedCharter,
  signal: AbortSignal,
): Promise<Sponsored[]> {
  const listed = await connection.get('/organisations', organisationList, signal)
  const found: Sponsored[] = []
  for (const compact of listed.organisations) {
    const { payload } = await verifySponsorship(compact, charter.payload)
    if (payload.of === 'organisation') found.push({ id: messageId(compact) as SponsorshipId, payload })
  }
  return found
}

/** The newest of those with one name: a member vouches again when the provider has new keys. */
function choose(known: readonly Sponsored[], wanted: string | undefined): Sponsored {
  const names = [...new Set(known.map(one => one.payload.organisation))]
  if (names.length === 0) throw fault('not-found', 'no member vouches for an organisation that lets its people log in')
  const name = wanted ?? (names.length === 1 ? names[0] : undefined)
  if (name === undefined) throw fault('bad-option', `say --organisation: there are ${names.join(', ')}`)
  const found = known.filter(one => one.payload.organisation === name).at(-1)
  if (found) return found
  throw fault('not-found', `no member vouches for ${name}; there are ${names.join(', ')}`)
}
