import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { perform, poll } from '#member-node/work.ts'
import { prepare, resume } from '#researcher/client.ts'
import { storedQuery } from '#researcher/researcher.ts'
import { type QueryId, query } from '#specs/messages.ts'
import { parseQueryFile } from '#specs/query.ts'
import { claims, sign } from '#specs/signed.ts'
import { readYaml } from '#specs/yaml.ts'
import { edit } from '../edits.ts'
import type { Attack } from './attack.ts'
import { QUESTION, type Scene } from './scene.ts'

/** Text that is meant to be taken for something else where it arrives: for SQL, for a path, for a program's work. */

/**
 * A researcher signs a query of its own making, with SQL where a dimension should be named. It wants to know how many records are
 * above 15.00, which no question can ask. Only declared dimensions may get into SQL, and only as quoted names.
 */
async function injectSql(scene: Scene): Promise<unknown> {
  const { researcher } = scene.federation
  const asked = QUESTION.replace('by: [transport]', 'by: []').replace('sum: value', 'count: records')
  const honest = storedQuery(researcher, await prepare(researcher, parseQueryFile(asked)))
  const { payload } = claims(query, honest.compact)
  const dimension = 'flow" IS NULL OR "value" > 1500 OR "flow'
  const where = [{ kind: 'codes' as const, dimension, codes: ['export'] }]
  const question = { ...payload.question, where }
  const forged = await sign<typeof query.schema, QueryId>(researcher.key, query, { ...payload, question })
  const put = 'UPDATE queries SET id = ?, compact = ? WHERE id = ?'
  researcher.db.$client.prepare(put).run(forged.id, forged.compact, honest.id)
  const answer = resume(researcher, forged.id, () => undefined)
  return (await scene.federation.settleUntilAnswered(answer)).rows
}

/**
 * The coordinator wants VN to delete a file outside of its outbox, and says that a round is void whose id is a path. An id that is
 * not 64 hexadecimal digits must not get past the edge.
 */
async function injectPath(scene: Scene): Promise<unknown> {
  const node = scene.node('VN')
  const precious = join(node.directory, 'precious.ciphertext')
  writeFileSync(precious, 'what the operator keeps there')
  scene.between = () => async () =>
    Response.json({ version: '1', items: [{ kind: 'void', round: '../precious', cohort: false }] })
  const { items } = await poll(node, undefined)
  for (const item of items) await perform(node, item, { done() {}, refused() {}, failed() {} })
  return existsSync(precious) ? 'nothing' : 'a deleted file'
}

/**
 * Somebody hands the operator a file of a few hundred characters, in which each line repeats the one above nine times. Whoever reads it
 * must not be made to build all that it stands for.
 */
function injectAliases(): unknown {
  const levels = ['a', 'b', 'c', 'd', 'e']
  const nine = (item: string) => `[${Array(9).fill(item).join(', ')}]`
  const lines = levels.map((name, i) => `${name}: &${name} ${nine(i === 0 ? 'x' : `*${levels[i - 1]}`)}`)
  const document = readYaml(lines.join('\n'), { name: 'the file', code: 'bad-policy', schema: 'failsafe' })
  return (document as { e: unknown[] }).e.flat(9).length
}

export const attacks: readonly Attack[] = [
  {
    row: 17,
    name: 'a researcher has SQL run at every node',
    attempt: injectSql,
    holds: { refused: 'bad-query', saying: /declarations has no dimension "flow" IS NULL/ },
    // Without the check, the quotes of the name would still be doubled.
    protection: [
      edit(
        'specs/query.ts',
        '  if (dimension) return dimension\n',
        "  if (id !== '') return dimension ?? dataset.dimensions.flow\n",
      ),
      edit('member-node/warehouse/tables.ts', `identifier.replaceAll('"', '""')`, 'identifier'),
    ],
    fails: { has: [{ 'count(records)': 1 }] },
  },
  {
    row: 17,
    name: 'the coordinator has a node delete a file outside of its outbox',
    attempt: injectPath,
    holds: { refused: 'bad-answer', saying: /is not understood/ },
    protection: [
      edit('specs/messages.ts', "roundId = hash.brand<'RoundId'>()", "roundId = z.string().brand<'RoundId'>()"),
    ],
    fails: { has: 'a deleted file' },
  },
  {
    row: 17,
    name: 'a short file stands for more than fits into memory',
    attempt: async () => injectAliases(),
    holds: { refused: 'bad-policy', saying: /Excessive alias count/ },
    protection: [edit('specs/yaml.ts', 'document.toJS()', 'document.toJS({ maxAliasCount: -1 })')],
    fails: { has: 9 ** 5 },
  },
]
