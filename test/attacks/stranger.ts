import { InbondError } from '#crypto/error.ts'
import { workResponse } from '#specs/api.ts'
import { edit } from '../edits.ts'
import { seededIdentityKey } from '../randomness.ts'
import { problemOf, request } from '../requests.ts'
import { pose } from '../steps.ts'
import type { Attack } from './attack.ts'
import { QUESTION, type Scene } from './scene.ts'

/**
 * A stranger has a key of its own and knows the fingerprint of KR, which is public. It wants to know what KR is asked, and later to
 * answer in its name: it signs a token with its key and writes the fingerprint of KR on it.
 */
async function pretend(scene: Scene): Promise<unknown> {
  await pose(scene.federation, QUESTION)
  const stranger = await seededIdentityKey('stranger')
  const impostor = { ...stranger, fingerprint: scene.node('KR').key.fingerprint }
  const answer = await request(scene.federation.coordinator, impostor, '/work')
  if (!answer.ok) {
    const { code, detail } = await problemOf(answer)
    throw new InbondError(code, detail)
  }
  return workResponse.parse(await answer.json()).items.some(one => one.kind === 'contribute')
}

export const attacks: readonly Attack[] = [
  {
    row: 7,
    name: 'a stranger asks for the work of a member',
    attempt: pretend,
    holds: { refused: 'bad-token', saying: /not signed with the key that it names/ },
    protection: [
      edit(
        'coordinator/http.ts',
        'await verify(token, bearer, party.publicKey).catch(',
        'await Promise.resolve(claims(token, bearer)).catch(',
      ),
    ],
    fails: { has: true },
  },
]
