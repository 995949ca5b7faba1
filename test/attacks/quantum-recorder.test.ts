import { afterAll, beforeAll, expect, test } from 'vitest'
import { SEALED_BYTES } from '#crypto/sealing.ts'
import { sealedShareOffset } from '#specs/bodies.ts'
import { manifest, prekey } from '#specs/messages.ts'
import { shareContext } from '#specs/sealed-context.ts'
import { claims } from '#specs/signed.ts'
import { type Secrets, secretsOf, unsealWith } from '../vectors/second-reader/sealing.ts'
import { type Closed, closedRound, contributionOf, namedPrekeys, prekeyOf } from './cheating.ts'
import { foundFederation, Scene } from './scene.ts'

/**
 * Somebody records everything that travels, and has a quantum computer years later. It computes the private key of X25519 of a prekey from
 * the public one, and with it one of the two secrets that a share is sealed under; ML-KEM withstands. It wants the share. One
 * of the two secrets must say nothing without the other. With both, which nobody has, the same steps open the share: so it is
 * ML-KEM that holds, and not a mistake in the attempt.
 */

let scene: Scene
let closed: Closed
beforeAll(async () => {
  scene = new Scene(await foundFederation())
  closed = await closedRound(scene)
})
afterAll(() => scene[Symbol.dispose]())

/** The share of VN that is sealed to BR, opened with what `known` leaves of the two secrets. */
function open(known: (secrets: Secrets) => Secrets): Uint8Array {
  const { manifest: compact, bytes } = contributionOf(scene, closed.id, 'VN')
  const { round, member, ciphertext, shares } = claims(manifest, compact).payload
  const [{ custodian, prekey: id }] = shares as [(typeof shares)[number]]
  const at = sealedShareOffset(compact, 0)
  const sealed = bytes.subarray(at, at + SEALED_BYTES)
  const named = namedPrekeys(closed.announced.round).find(one => claims(prekey, one).payload.custodian === custodian)
  const publicKey = Buffer.from(claims(prekey, named ?? '').payload.publicKey, 'base64url')
  const secrets = secretsOf(prekeyOf(scene, closed, custodian) as Buffer, sealed)
  const context = shareContext({ round, dealer: member, custodian, prekey: id, ciphertext })
  return unsealWith('inbond/share/v1', known(secrets), publicKey.subarray(-32), context, sealed)
}

const nothing = new Uint8Array(32)

test('a recorder that broke X25519 opens no share', () => {
  expect(() => open(({ curve }) => ({ curve, mlkem: nothing }))).toThrow(/authenticate/)
})

test('nor does one that broke ML-KEM', () => {
  expect(() => open(({ mlkem }) => ({ mlkem, curve: nothing }))).toThrow(/authenticate/)
})

test('one that broke both does', () => {
  expect(open(secrets => secrets)).toHaveLength(13_312)
})
