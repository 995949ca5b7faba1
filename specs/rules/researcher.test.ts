import { beforeAll, describe, expect, test } from 'vitest'
import { at, DAY, type FederationKeys, federationKeys, NOON } from '#test/federation-keys.ts'
import {
  type Certificate,
  type MemberId,
  memberId,
  type PersonSponsorship,
  type Revocation,
  revocation,
  type Sponsorship,
} from '../messages.ts'
import { PROTOCOL, sign } from '../signed.ts'
import { checkTerm, isRevoked, verifyCertificate, verifyRevocation } from './researcher.ts'

let five: FederationKeys

beforeAll(async () => {
  five = await federationKeys()
})

const [KE, KR] = ['KE', 'KR'].map(id => memberId.parse(id)) as [MemberId, MemberId]

/** Refused with this code, and with a reason that says this. */
async function refused(attempt: Promise<unknown>, code: string, reason: RegExp): Promise<void> {
  await expect(attempt).rejects.toMatchObject({ code, message: expect.stringMatching(reason) })
}

describe('a certificate', () => {
  async function certified(said: Partial<PersonSponsorship>, change: Partial<Certificate> = {}) {
    const certificate = await five.certify(change, five.coordinator, await five.vouch(said))
    return verifyCertificate(certificate.compact, five.charter.payload)
  }

  test('says what its sponsor said', async () => {
    const { payload } = await certified({ sponsor: KR, role: 'economist', purposes: ['research'] })
    expect(payload).toMatchObject({ name: 'A. Researcher', sponsor: KR, role: 'economist', purposes: ['research'] })
  })

  test('may say less: fewer purposes, a shorter time', async () => {
    const less = { purposes: ['research' as const], notAfter: at(NOON + DAY) }
    expect((await certified({}, less)).payload).toMatchObject(less)
  })

  test.each<[string, () => Partial<Certificate>]>([
    ['name', () => ({ name: 'B. Researcher' })],
    ['publicKey', () => ({ publicKey: five.stranger.publicKey })],
    ['administration', () => ({ administration: KR })],
    ['organisation', () => ({ organisation: 'Another institute' })],
    ['role', () => ({ role: 'director' })],
    ['sponsor', () => ({ sponsor: KE })],
    ['purposes', () => ({ purposes: ['research', 'risk-analysis'] })],
    ['notAfter', () => ({ notAfter: at(NOON + 366 * DAY) })],
  ])('that goes beyond its sponsorship is refused: %s', async (field, change) => {
    await refused(
      certified({ sponsor: KR }, change()),
      'bad-certificate',
      new RegExp(`another ${field} than its sponsor`),
    )
  })

  test('that leaves out the own administration of the researcher is refused', async () => {
    const attempt = certified({ administration: KR }, { administration: null })
    await refused(attempt, 'bad-certificate', /another administration/)
  })

  test('whose researcher the coordinator invented is refused', async () => {
    for (const sponsor of [five.coordinator, five.researcher, five.keyOf(KE)]) {
      const invented = await five.certify({}, five.coordinator, await five.vouch({ sponsor: KR }, sponsor))
      await refused(verifyCertificate(invented.compact, five.charter.payload), 'bad-signature', /sponsorship/)
    }
  })

  test('of a sponsor that is not on the roster, or left it, is refused', async () => {
    const { compact } = await five.certify({}, five.coordinator, await five.vouch({ sponsor: KR }))
    const { coordinator, members } = five.charter.payload
    const without = { coordinator, members: members.filter(one => one.id !== KR) }
    await expect(verifyCertificate(compact, five.charter.payload)).resolves.toBeDefined()
    await refused(verifyCertificate(compact, without), 'bad-certificate', /sponsor KR is not on the roster/)
  })

  test('that another than the coordinator signed is refused', async () => {
    const { compact } = await five.certify({}, five.keyOf(KR), await five.vouch({ sponsor: KR }))
    await refused(verifyCertificate(compact, five.charter.payload), 'bad-signature', /researcher-certificate/)
  })

  test('of another federation, or after a sponsorship of another, is refused', async () => {
    const other = { federation: five.stranger.fingerprint }
    await refused(certified({}, other), 'bad-certificate', /certified for another federation/)
    await refused(
      certified(other, { federation: five.coordinator.fingerprint }),
      'bad-certificate',
      /sponsorship is of/,
    )
  })

  test("that says of a member's administration what another member signed is refused", async () => {
    const attempt = certified({ sponsor: KR, administration: KE })
    await refused(attempt, 'bad-certificate', /KR cannot say who belongs to KE/)
  })

  test('lasts to its end, and a year and a day at most', () => {
    const until = (milliseconds: number) => () => checkTerm({ notAfter: at(milliseconds) } as Sponsorship, NOON)
    const bad = expect.objectContaining({ code: 'bad-certificate' })
    expect(until(NOON)).not.toThrow()
    expect(until(NOON - 1)).toThrow(bad)
    expect(until(NOON + 366 * DAY + 120_000)).not.toThrow()
    expect(until(NOON + 366 * DAY + 120_001)).toThrow(bad)
  })
})

describe('a revocation', () => {
  const revoked = (change: Partial<Extract<Revocation, { of: 'researcher' }>> = {}, signer = five.keyOf(KR)) =>
    sign(signer, revocation, {
      protocol: PROTOCOL,
      federation: five.coordinator.fingerprint,
      by: KR,
      of: 'researcher',
      publicKey: five.researcher.publicKey,
      reason: 'left the organisation',
      ...change,
    })

  test('counts if its sponsor signed it, or the coordinator, and of nobody else', async () => {
    const { payload } = await five.certify({ sponsor: KR })
    const stops = async (change: Parameters<typeof revoked>[0]) => isRevoked(payload, [(await revoked(change)).payload])
    expect(await stops({})).toBe(true)
    expect(await stops({ by: null })).toBe(true)
    expect(await stops({ by: KE })).toBe(false)
    expect(await stops({ publicKey: five.stranger.publicKey })).toBe(false)
    expect(isRevoked(payload, [])).toBe(false)
  })

  test.each<[string, () => ReturnType<typeof revoked>, string, RegExp]>([
    [
      'in the name of another member',
      () => revoked({}, five.keyOf(KE)),
      'bad-certificate',
      /who revokes, is in no charter with this key/,
    ],
    [
      "in the coordinator's name",
      () => revoked({ by: null }),
      'bad-certificate',
      /who revokes, is in no charter with this key/,
    ],
    [
      'by the coordinator in the name of a member',
      () => revoked({}, five.coordinator),
      'bad-certificate',
      /who revokes, is in no charter with this key/,
    ],
    [
      'of somebody who is no member',
      () => revoked({ by: memberId.parse('XX') }),
      'bad-certificate',
      /XX, who revokes, is in no charter/,
    ],
    [
      'of another federation',
      () => revoked({ federation: five.stranger.fingerprint }),
      'bad-certificate',
      /another federation/,
    ],
  ])('%s is refused', async (_, make, code, reason) => {
    await refused(verifyRevocation((await make()).compact, five.charter.payload), code, reason)
  })

  test('is taken with any of the keys of whom it names, and with no key of another', async () => {
    const { payload } = five.charter
    const again = payload.members.map(one => (one.id === KR ? { ...one, publicKey: five.stranger.publicKey } : one))
    const terms = { ...payload, members: [...again, ...payload.members] }
    for (const key of [five.keyOf(KR), five.stranger]) {
      await expect(verifyRevocation((await revoked({}, key)).compact, terms)).resolves.toMatchObject({
        payload: { by: KR },
      })
    }
    await refused(
      verifyRevocation((await revoked({}, five.keyOf(KE))).compact, terms),
      'bad-certificate',
      /who revokes, is in no charter with this key/,
    )
  })

  test('is taken from whom it names', async () => {
    for (const one of [await revoked(), await revoked({ by: null }, five.coordinator)]) {
      await expect(verifyRevocation(one.compact, five.charter.payload)).resolves.toMatchObject({ id: one.id })
    }
  })
})
