import { certificateAnswer } from '#specs/api.ts'
import { type Certificate, certificate, type QueryId, query, round, sponsorship } from '#specs/messages.ts'
import { claims, sign } from '#specs/signed.ts'
import type { Federation } from '../federation.ts'
import { seededIdentityKey } from '../randomness.ts'
import { type Adversary, keyOf } from './adversary.ts'
import { announcingInstead, publicKeyOf } from './cheating-keys.ts'
import { pathOf } from './network.ts'

async function certifyAs(federation: Federation, compact: string, change: Partial<Certificate>): Promise<string> {
  return (await sign(keyOf(federation), certificate, { ...claims(certificate, compact).payload, ...change })).compact
}

/** A coordinator that has somebody ask whom it made up, and vouches for it itself, in the name of the member that vouched for another. */
export function inventedResearcher(federation: Federation): Adversary {
  return announcingInstead(async item => {
    const nobody = await seededIdentityKey('a researcher that there is not')
    const asked = claims(query, item.query).payload
    const said = { name: 'Nobody', publicKey: nobody.publicKey }
    const honest = claims(sponsorship, claims(certificate, asked.certificate).payload.sponsorship).payload
    const vouched = await sign(keyOf(federation), sponsorship, { ...honest, ...said } as typeof honest)
    const forged = await sign<typeof query.schema, QueryId>(nobody, query, {
      ...asked,
      certificate: await certifyAs(federation, asked.certificate, { ...said, sponsorship: vouched.compact }),
      recipient: await publicKeyOf('nobody'),
    })
    const announced = { ...claims(round, item.round).payload, query: forged.id }
    return { query: forged.compact, round: (await sign(keyOf(federation), round, announced)).compact }
  })
}

/** A coordinator that certifies the researcher to be of no administration, so that its own counts towards the minimum cohort. */
export function changedCertificate(federation: Federation): Adversary {
  return {
    show: async (message, answer) => {
      if (pathOf(message) !== '/certificate') return undefined
      const told = certificateAnswer.parse(await answer.json())
      if (told.certificate === null) return Response.json(told)
      return Response.json({
        ...told,
        certificate: await certifyAs(federation, told.certificate, { administration: null }),
      })
    },
  }
}
