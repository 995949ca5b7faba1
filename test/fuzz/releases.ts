import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect } from 'vitest'
import { takeRelease } from '#coordinator/releases.ts'
import { type Verified, verifyRelease } from '#researcher/verification.ts'
import type { CharterBundle } from '#specs/api.ts'
import { release } from '#specs/messages.ts'
import { fileOf, publishedRelease, readFileOf, type SentRelease, sentRelease, written } from '#specs/release.ts'
import { claims, sign } from '#specs/signed.ts'
import { type Decoder, decoder } from './decoder.ts'
import { mutatedBytes, mutatedJson } from './mutations.ts'
import type { Recording } from './recording.ts'

/** Published answers, as everybody reads them, and as the coordinator is sent them. */
export async function releaseDecoders(recording: Recording): Promise<Decoder[]> {
  const response = await recording.federation.coordinator.app.request(`https://coordinator.test${recording.release}`)
  const published = Buffer.from(await response.arrayBuffer())
  return [whole(published), sent(published), taken(recording, published)]
}

/** Anything but what was published is refused. */
function whole(published: Buffer): Decoder {
  const document = JSON.parse(published.toString())
  return decoder<Uint8Array, Verified>({
    name: 'a published release',
    isSlow: true,
    examples: [published],
    inputs: fc.oneof(
      mutatedBytes([published]),
      mutatedJson([document]).map(text => Buffer.from(`${text}\n`)),
    ),
    codes: ['not-a-release', 'bad-release', 'upgrade-needed'],
    decode: bytes => verifyRelease(bytes),
    believe: (_, bytes) => expect(published.equals(bytes)).toBe(true),
  })
}

function sent(published: Buffer): Decoder {
  const { release: compact, content } = readFileOf(publishedRelease, published)
  const openings = content.openings.map(one => ({ ...one, share: 'AAAA' }))
  const examples = [Buffer.from(fileOf({ release: compact, content: { ...content, openings, ciphertext: 'AAAA' } }))]
  return decoder<Uint8Array, SentRelease>({
    name: 'the file of a release',
    examples,
    inputs: mutatedBytes(examples),
    codes: ['not-a-release'],
    decode: bytes => readFileOf(sentRelease, bytes),
    believe: (read, bytes) => expect(Buffer.from(fileOf(read)).equals(bytes)).toBe(true),
  })
}

/** The recipient itself signs any content. Nothing is kept, and nothing was published before. */
function taken({ federation, rounds }: Recording, published: Buffer): Decoder {
  const { content, release: compact } = readFileOf(publishedRelease, published)
  const { researcher, coordinator } = federation
  const { fingerprint, publicKey } = researcher.key
  const intact = written(content)
  return decoder<string, void>({
    name: 'a release that its recipient sends',
    isSlow: true,
    examples: [intact],
    inputs: mutatedJson([content]),
    codes: ['not-a-release', 'bad-release'],
    decode: async text => {
      const hash = createHash('sha256').update(text).digest('hex')
      const { payload } = claims(release, compact)
      const signed = await sign(researcher.key, release, { ...payload, content: hash })
      const body = Buffer.from(`{"release":"${signed.compact}","content":${text}}\n`)
      const { $client } = coordinator.context.db
      $client.exec('BEGIN; DROP TRIGGER releases_no_delete; DELETE FROM releases')
      try {
        const stream = ReadableStream.from([body]) as AsyncIterable<Uint8Array>
        await takeRelease(coordinator.context, { fingerprint, publicKey }, rounds.opened.round, stream)
      } finally {
        $client.exec('ROLLBACK')
      }
    },
    // Its figures are the recipient's word until somebody verifies them; of the rest it may hold back what is not needed.
    believe: (_, text) => {
      const { rows, manifests, charters, openings, agreements, ...rest } = JSON.parse(text)
      expect(content).toMatchObject(rest)
      expect(content.charters.map(one => one.charter)).toEqual(charters.map((one: CharterBundle) => one.charter))
      expect(new Set(manifests)).toEqual(new Set(content.manifests))
      for (const one of openings) expect(content.openings).toContainEqual(one)
      expect(content.agreements).toEqual(expect.arrayContaining(agreements))
    },
  })
}
