import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formsOf, inUnits, textForms } from '../forms.ts'
import { answerOf, Federation } from './federation.ts'
import { Recorder } from './recorder.ts'

/** What operators see of their processes: logs, metrics, readiness, status; and what nobody may see there. */

const MEMBERS = ['AA', 'BB', 'CC'] as const
/** Cents that are told from every other number. */
const VALUES: Readonly<Record<string, bigint>> = { AA: 777_345_677_123n, BB: 811_987_654_321n, CC: 934_567_890_217n }
/** Others may use the machine too. */
const PATIENCE_MS = 180_000
const PASSPHRASE = 'quite unheard-of passphrase'
const QUERY = `dataset: declarations
where: { period: 2020-01 }
measures: [{ sum: value }]
purpose: what is said of it
need: { atLeast: 3 }
`
const MAP = `dataset: declarations
constants: { flow: import, currency: USD }
columns: { period: date, hs6: hs, trader: firm, value: price }
`

const STRICT = `datasets: []
dimensions: 3
hsDigits: 6
dimensionsAtFinest: 3
smallestCohort: 3
questionsADay: 50
`

const recorder = new Recorder()
let federation: Federation
/** Bodies of answers and metrics that were read beside the processes. */
const read: string[] = []
const secrets = new Map<string, readonly (string | Buffer)[]>()

beforeAll(async () => {
  const front = (url: string) => recorder.listen(url)
  // Every command is a process, all of whose output is searched.
  federation = await Federation.create({ members: MEMBERS, metrics: true, front, environment: {} })
})
afterAll(async () => {
  await federation?.[Symbol.asyncDispose]()
  await recorder[Symbol.asyncDispose]()
})

const traderOf = (id: string) => `Unmistakable Traders of ${id} Ltd`

function csvOf(id: string): string {
  return `date,hs,firm,price\n2020-01-05,851712,${traderOf(id)},${inUnits(VALUES[id] as bigint)}\n`
}

/** All that stands on standard output and error, but for what a command was asked to print. */
function said(): string {
  const isResult = (args: readonly string[]) => args.includes('invite')
  const spoken = federation.line.history.map(one => (isResult(one.args) ? '' : one.stdout) + one.stderr)
  return [...spoken, ...read].join('\n')
}

function foundIn(text: string, forms: readonly (string | Buffer)[]): (string | Buffer)[] {
  const bytes = Buffer.from(text)
  return forms.filter(form => bytes.includes(form))
}

function noteKeys(): void {
  for (const party of ['coordinator', ...MEMBERS, 'researcher']) {
    const file = readFileSync(join(federation.of(party), 'keys', 'identity'), 'utf8')
    const { d } = JSON.parse(file) as { d: string }
    secrets.set(`identity key of ${party}`, [d, ...textForms(Buffer.from(d, 'base64url'))])
  }
}

function noteStored(party: string, what: string, sql: string): void {
  const database = federation.database(party)
  const rows = database.prepare(sql).pluck().all() as Buffer[]
  database.close()
  for (const [i, bytes] of rows.entries()) secrets.set(`${what} ${i} of ${party}`, textForms(bytes.subarray(0, 64)))
}

async function send(path: string, init: RequestInit): Promise<void> {
  const response = await fetch(`${federation.url}${path}`, init)
  read.push(await response.text())
}

describe('what the processes say, through success and failure,', () => {
  it(
    'holds no key, token, cell, trader, passphrase, invitation or share',
    async () => {
      const { line } = federation
      noteKeys()
      for (const id of MEMBERS) {
        secrets.set(`trader of ${id}`, [traderOf(id), ...textForms(Buffer.from(traderOf(id)))])
        secrets.set(`cell of ${id}`, formsOf(VALUES[id] as bigint))
      }
      for (const { args, stdout } of line.history.filter(one => one.args.includes('invite'))) {
        const code = stdout.split('.').at(-2) as string
        secrets.set(`invitation ${args.at(-1)}`, [code, ...textForms(Buffer.from(code, 'base64url'))])
      }
      secrets.set('passphrase', textForms(Buffer.from(PASSPHRASE)))

      // Data: imports that work, and imports that go wrong with the same cells.
      await Promise.all(MEMBERS.map(id => federation.load(id, csvOf(id), MAP)))
      const importing = (csv: string, map: string) =>
        line.run([
          'member',
          'import',
          federation.of('AA'),
          'declarations',
          line.write(`${randomBytes(4).toString('hex')}.csv`, csv),
          '--map',
          line.write(`${randomBytes(4).toString('hex')}.yaml`, map),
          '--verbose',
        ])
      const confused = MAP.replace('trader: firm, value: price', 'trader: price, value: firm')
      const unclosed = csvOf('AA').replace('Unmistakable', '"Unmistakable')
      const ambiguous = `date;hs;firm;price\n2020-01-05;851712;${traderOf('AA')};779,341\n`
      secrets.set('a number in a file', ['779,341'])
      const failed = await Promise.all([
        importing(`${csvOf('AA')}\n`, confused),
        importing(unclosed, MAP),
        importing(ambiguous, MAP),
      ])
      const codes = failed.map(one => /\[(.*)\]/.exec(one.stderr)?.[1])
      expect(codes).toEqual(['nothing-loaded', 'bad-file', 'ambiguous-decimal'])

      // A passphrase that fits, and one that does not.
      const environment = { INBOND_PASSPHRASE: PASSPHRASE }
      const sealed = federation.of('sealed')
      await line.run(['coordinator', 'init', sealed, '--name', 'Sealed'], { environment })
      const wrong = ['coordinator', 'status', sealed, '--verbose']
      const opened = await line.run(wrong, { environment: { INBOND_PASSPHRASE: `${PASSPHRASE}!` } })
      expect(opened.status).toBe(1)

      // An answered round, with every event of it written to the logs.
      await Promise.all(['AA', 'BB'].map(id => federation.startMember(id, '--verbose')))
      const asking = federation.ask(QUERY)
      await asking.says(/^Query/)
      noteStored('researcher', 'answer key', 'SELECT private_key FROM queries WHERE private_key IS NOT NULL')
      await federation.startMember('CC', '--verbose')
      const answer = answerOf(await asking.ended)
      expect(answer.cohort).toEqual(MEMBERS)
      for (const id of MEMBERS) {
        noteStored(id, 'prekey', 'SELECT private_key FROM prekeys WHERE private_key IS NOT NULL')
        noteStored(id, 'sealed shares', 'SELECT substr(sealed_shares, 1300) FROM contributions')
      }

      // A round that a policy refuses.
      const policy = line.write('strict.yaml', STRICT)
      const config = join(federation.of('BB'), 'config.yaml')
      const before = federation.process('BB')
      before.send('SIGTERM')
      await before.ended
      writeFileSync(config, readFileSync(config, 'utf8').replace(/^policy: .*$/m, `policy: ${policy}`))
      await federation.startMember('BB')
      expect((await federation.ask(QUERY).ended).stderr).toMatch(/BB refused/)
      writeFileSync(policy, STRICT.replace('[]', 'all'))

      // Requests as strangers and thieves send them.
      const [stolen] = recorder.tokens.filter(one => one.method === 'PUT').slice(-1)
      const { path = '', token = '' } = stolen ?? {}
      const bearer = (value: string) => ({ authorization: `Bearer ${value}` })
      await send(path, { method: 'PUT', headers: bearer(token), body: randomBytes(100) })
      await send('/work', { headers: bearer(token) })
      await send('/work', { headers: bearer(`${token.slice(0, -4)}AAAA`) })
      await send(`/work/${token}`, { headers: { ...bearer(token), 'x-request-id': token } })
      await send('/enrolments', { method: 'POST', body: `{"enrolment": "${token}"`, ...jsonType() })
      await send('/enrolments', { method: 'POST', body: JSON.stringify({ enrolment: token }), ...jsonType() })
      for (const { token: one } of recorder.tokens) secrets.set(`token ${one.slice(-12)}`, tokenForms(one))

      for (const party of ['coordinator', ...MEMBERS]) {
        read.push(await federation.operator(party), await line.succeed(...statusOf(party)))
      }
      read.push(await line.succeed('researcher', 'status', federation.of('researcher')))

      const text = said()
      // That there is something to search, and that the search finds what is there.
      expect(text).toMatch(/"msg":"round opened","round":"[0-9a-f]{64}"/)
      expect(text).toMatch(/"msg":"refused","step":"contribute","round":"[0-9a-f]{64}".*"code":"policy-refused"/)
      expect(text).toMatch(/^inbond_refusals_total\{code="bad-token"\} [1-9]/m)
      const hidden = Buffer.concat([Buffer.from('abcd'), Buffer.from(traderOf('AA')), Buffer.from('e')]).toString(
        'base64',
      )
      expect(foundIn(hidden, secrets.get('trader of AA') as string[])).not.toEqual([])
      expect(recorder.tokens.length).toBeGreaterThan(20)
      expect([...secrets.keys()].filter(name => name.startsWith('prekey')).length).toBeGreaterThan(30)
      expect([...secrets.keys()].some(name => name.startsWith('answer key'))).toBe(true)

      const told = [...secrets].filter(([, forms]) => foundIn(text, forms).length > 0).map(([name]) => name)
      expect(told).toEqual([])
    },
    PATIENCE_MS,
  )
})

describe('a member node', () => {
  it(
    'answers /readyz while it works on an answer',
    async () => {
      const work = 'inbond_work_total{step="contribute",outcome="done"}'
      const done = async () => (await federation.operator('CC')).split('\n').find(line => line.startsWith(work))
      const before = await done()
      const asking = federation.ask(QUERY.replace('measures', 'by: [hs6, transport, flow]\nmeasures'))
      await asking.says(/asked/)
      let answers = 0
      while ((await done()) === before && !asking.finished) {
        expect(await federation.operator('CC', '/readyz')).toBe('ready\n')
        answers++
      }
      expect(answers).toBeGreaterThan(3)
      asking.send('SIGTERM')
    },
    PATIENCE_MS,
  )
})

function statusOf(party: string): [string, string, string] {
  return [party === 'coordinator' ? 'coordinator' : 'member', 'status', federation.of(party)]
}

function jsonType() {
  return { headers: { 'content-type': 'application/json' } }
}

/** A token is secret as a whole and by its signature; its claims are what the log says anyway. */
function tokenForms(token: string): string[] {
  return [token, token.split('.')[2] as string]
}
