import { beforeAll, describe, expect, test } from 'vitest'
import type { IdentityKey } from '#crypto/signature.ts'
import { at, DAY, type FederationKeys, federationKeys, HOUR, hashOf, NOON } from '#test/federation-keys.ts'
import { EVERYTHING } from '#test/questions.ts'
import { type MemberId, offer } from '../messages.ts'
import { PROTOCOL, sign } from '../signed.ts'
import { offeredBy, verifyOffer } from './offer.ts'

let five: FederationKeys
beforeAll(async () => {
  five = await federationKeys()
})

/** An offer of KR that keeps its policy to itself, with one fault. */
async function made(change: object = {}, by?: IdentityKey): Promise<string> {
  const member = 'KR' as MemberId
  const signed = await sign(by ?? five.keyOf(member), offer, {
    protocol: PROTOCOL,
    charter: five.charter.id,
    member,
    terms: null,
    issuedAt: at(NOON),
    notAfter: at(NOON + 7 * DAY),
    ...change,
  })
  return signed.compact
}

/** One that has data of these months, first and last of each range. */
function covering(...ranges: readonly string[]): Promise<string> {
  const months = ranges
    .map(range => range.split(' '))
    .map(([from, to]) => ({ from, to, state: 'complete', version: 1 }))
  const terms = {
    policy: EVERYTHING,
    ownRecords: 'automatic',
    alone: false,
    coverage: [{ dataset: 'declarations', months }],
  }
  return made({ terms })
}

describe('an offer', () => {
  test('of a member on the roster holds until it ends', async () => {
    const compact = await made()
    expect(offeredBy(compact)).toBe('KR')
    for (const now of [NOON - 60_000, NOON, NOON + 7 * DAY - 1]) {
      expect(await verifyOffer(compact, five.charter, now)).toMatchObject({ compact, payload: { member: 'KR' } })
    }
  })

  test('has data of months in order, a century at most', async () => {
    const compact = await covering('1929-02 1999-12', '2000-01 2029-01')
    expect(await verifyOffer(compact, five.charter, NOON)).toMatchObject({ compact })
  })

  test.each<[string, () => Promise<string>, string, RegExp, number?]>([
    ['signed by another member', () => made({}, five.keyOf('JP' as MemberId)), 'bad-signature', /expected key/],
    ['signed by the coordinator', () => made({}, five.coordinator), 'bad-signature', /expected key/],
    [
      'in the name of a stranger',
      () => made({ member: 'XX' }, five.stranger),
      'not-on-roster',
      /XX, .* not on the roster/,
    ],
    [
      'under another charter',
      () => made({ charter: hashOf('another') }),
      'bad-offer',
      /of KR is under another charter/,
    ],
    ['that is over', () => made(), 'bad-offer', /of KR ended at 2030-01-22/, NOON + 7 * DAY],
    ['from the future', () => made(), 'bad-offer', /from the future/, NOON - HOUR],
    ['for more than a week', () => made({ notAfter: at(NOON + 7 * DAY + 1) }), 'bad-offer', /for too long/],
    ['whose months overlap', () => covering('2029-01 2029-03', '2029-03 2029-04'), 'bad-offer', /month after month/],
    ['whose months are out of order', () => covering('2029-05 2029-06', '2029-01 2029-02'), 'bad-offer', /month after/],
    ['whose months end before they begin', () => covering('2029-05 2029-04'), 'bad-offer', /month after month/],
    ['of more than a century', () => covering('1929-01 2029-01'), 'bad-offer', /month after month/],
    ['that is too long', async () => `${await made()}${'A'.repeat(512 * 1024)}`, 'bad-offer', /longer than 512 KiB/],
    ['that is none', async () => five.bundle.charter, 'bad-signature', /no inbond-offer/],
  ])('%s is refused', async (_, forge, code, reason, now = NOON) => {
    const refusal = { code, message: expect.stringMatching(reason) }
    await expect(verifyOffer(await forge(), five.charter, now)).rejects.toMatchObject(refusal)
  })
})
