import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { CommandLine, freePort, ROOT, until } from './processes/federation.ts'

// Many commands, one after the other, on a machine that may be busy.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

/**
 * The commands of the operators' pages are run as they stand, in the order in which people would: every `sh` block, in one folder,
 * beside the files that other blocks name. Only ports and the public address are others.
 */

const MAP = `dataset: declarations
constants: { flow: import, currency: USD }
columns: { period: Date, hs6: HS, value: Value }
`
const CSV = 'Date,HS,Value\n2024-05-01,851712,750\n2024-05-02,010121,9.50\n'

interface Block {
  readonly page: string
  readonly heading: string
  readonly language: string
  readonly file: string | undefined
  readonly text: string
}

let line: CommandLine
let replaced: readonly (readonly [string, string])[]
const groups: ChildProcess[] = []
const ran: Block[] = []

const pages = ['coordinator', 'member-node', 'researcher', 'steward', 'publisher']
const blocks = pages.flatMap(page => blocksOf(page))

/** Blocks whose content is for other programs: nothing in them is run here. */
const FOREIGN = ['ini', 'nginx']

function blocksOf(page: string): Block[] {
  const text = readFileSync(join(ROOT, 'docs', `${page}.md`), 'utf8')
  const found: Block[] = []
  let heading = ''
  for (const [, title, language = '', file, content = ''] of text.matchAll(
    /^##+ (.*)$|^```(\S*)(?: (\S+))?\n([\s\S]*?)^```$/gm,
  )) {
    if (title === undefined) found.push({ page, heading, language, file, text: content })
    else heading = title
  }
  return found
}

beforeAll(async () => {
  line = new CommandLine()
  symlinkSync(join(ROOT, 'inbond'), line.path('inbond'))
  mkdirSync(line.path('tmp'))
  const [port, ...metrics] = await Promise.all([freePort(), freePort(), freePort()])
  replaced = [
    ['https://stats.example.org', `http://127.0.0.1:${port}`],
    ['8400', String(port)],
    ['9400', String(metrics[0])],
    ['9401', String(metrics[1])],
  ]
})
afterAll(async () => {
  for (const group of groups) {
    try {
      process.kill(-(group.pid as number), 'SIGKILL')
    } catch {
      // It left nothing running.
    }
  }
  await line[Symbol.asyncDispose]()
})

/** Runs the blocks of a page that stand under these headings, in the page's order. */
async function follow(page: string, headings: readonly string[], environment: Record<string, string> = {}) {
  for (const block of blocks.filter(one => one.page === page && headings.includes(one.heading))) {
    if (block.file !== undefined) line.write(block.file, block.text)
    if (block.language === 'sh') await execute(block, environment)
    ran.push(block)
  }
}

/** In one shell, which ends at the first command that fails; what it starts in the background goes on. */
async function execute({ page, heading, text }: Block, environment: Record<string, string>): Promise<void> {
  const script = replaced.reduce((written, [from, to]) => written.replaceAll(from, to), text)
  const output = line.path('tmp', 'output')
  const file = openSync(output, 'w')
  const shell = spawn('env', [...Object.entries(environment).map(pair => pair.join('=')), 'sh', '-euc', script], {
    cwd: line.directory,
    stdio: ['ignore', file, file],
    detached: true,
  })
  groups.push(shell)
  const status = await new Promise(resolve => shell.on('exit', resolve))
  closeSync(file)
  expect({ page, heading, status, output: status === 0 ? '' : readFileSync(output, 'utf8') }).toEqual({
    page,
    heading,
    status: 0,
    output: '',
  })
}

/** A log that a command in the background writes; empty until that has begun to. */
function logged(log: string): string {
  return existsSync(line.path(log)) ? readFileSync(line.path(log), 'utf8') : ''
}

function says(log: string, pattern: RegExp): Promise<void> {
  return until(
    () => pattern.test(logged(log)),
    () => `${log} to say ${pattern}:\n${logged(log)}`,
  )
}

const invitation = (name: string) => ({ INVITATION: readFileSync(line.path(`${name}.invitation`), 'utf8').trim() })
const passphrase = () => ({ INBOND_PASSPHRASE: readFileSync(line.path('kr.passphrase'), 'utf8').trim() })

test('the secretariat makes a coordinator', async () => {
  await follow('coordinator', ['Make it', 'Start it'])
  await says('wco.log', /is ready/)
})

test('members enrol, and the charter is proposed', async () => {
  // The page's block proposes as well, which needs members: the invitations come first.
  const [inviting, proposing] = blocks.filter(one => one.heading === 'Invite and propose the charter')
  expect([inviting?.text, proposing?.text].map(text => /coordinator (\w+)/.exec(text as string)?.[1])).toEqual([
    'invite',
    'charter',
  ])
  await execute(inviting as Block, {})
  await follow('member-node', ['Enrol'], invitation('KR'))
  await Promise.all(
    ['JP', 'VN'].map(async id => {
      const invite = (await line.succeed('coordinator', 'invite', line.path('wco'), '--member', id)).trim()
      await line.succeed('member', 'init', line.path(id), '--id', id, '--name', `Customs of ${id}`, '--invite', invite)
    }),
  )
  await execute(proposing as Block, {})
  ran.push(inviting as Block, proposing as Block)
})

test('a member signs, imports, sets its policy, starts, and watches', async () => {
  const headings = ['Sign the charter', 'Import', 'Close months, and revise them', 'Set the policy', 'Start']
  await follow('member-node', headings, passphrase())
  const [csv, map] = [line.write('others.csv', CSV), line.write('others.yaml', MAP)]
  await Promise.all(
    ['JP', 'VN'].map(async id => {
      await line.succeed('member', 'charter', 'sign', line.path(id), '--yes')
      await line.succeed('member', 'import', line.path(id), 'declarations', csv, '--map', map)
      line.start(['member', 'start', line.path(id)])
    }),
  )
  await says('kr.log', /"msg":"started"/)
  await follow('member-node', ['Watch'], passphrase())
})

test('a researcher asks, and reads the joint figures', async () => {
  await follow('researcher', ['Enrol'], invitation('Ada'))
  const { fingerprint } = JSON.parse(await line.succeed('researcher', 'status', line.path('ada'), '--json'))
  const told = { FINGERPRINT: fingerprint }
  const [vouching, revoking] = blocks.filter(one => one.heading === 'Vouch for researchers')
  expect([vouching?.text, revoking?.text].map(text => /researcher (\w+) kr "/.exec(text as string)?.[1])).toEqual([
    'sponsor',
    'revoke',
  ])
  await execute(vouching as Block, { ...passphrase(), ...told })
  await follow('researcher', ['Ask'])
  ran.push(vouching as Block)
  expect(readFileSync(line.path('imports.csv'), 'utf8')).toMatch(
    /^hs2,.*\r\n01,2,19\.00\r\n85,3,2750\.00\r\n87,1,18990\.50\r\n$/,
  )
  expect(JSON.parse(readFileSync(line.path('answer.json'), 'utf8'))).toMatchObject({ cohort: ['JP', 'KR', 'VN'] })
})

test('a researcher is told beforehand, and what would be answered instead', async () => {
  const fine = line.write(
    'fine.yaml',
    readFileSync(line.path('imports.yaml'), 'utf8').replace('[hs2]', '[hs6, transport]'),
  )
  const explaining = ['query', 'explain', fine, '--as', line.path('ada')]
  let said = { outcome: '', nearest: { query: '' } }
  await until(
    async () => {
      said = JSON.parse(await line.succeed(...explaining, '--json'))
      return said.outcome === 'refused'
    },
    () => `every node to offer what it would answer: ${JSON.stringify(said)}`,
  )
  const written = line.path('coarser.yaml')
  expect(await line.succeed(...explaining, '--write', written)).toMatch(/^It would not be answered\.$/m)
  expect(readFileSync(written, 'utf8')).toBe(said.nearest.query)
  const again = await line.run([...explaining, '--write', written])
  expect(again).toMatchObject({ status: 1, stderr: expect.stringMatching(/a file is in the way \[not-writable\]/) })
  const answered = JSON.parse(await line.succeed('query', 'explain', written, '--as', line.path('ada'), '--json'))
  expect(answered).toMatchObject({ outcome: 'answered', nearest: null })
})

test('the answer is released, and anybody verifies it', async () => {
  const [, federation = ''] = /federation: (\S+)/.exec(readFileSync(line.path('ada', 'config.yaml'), 'utf8')) ?? []
  await follow('publisher', ['Release it'])
  await follow('publisher', ['How a reader verifies'], { FEDERATION: federation })
  const verified = JSON.parse(readFileSync(line.path('verified.json'), 'utf8'))
  expect(verified).toMatchObject({ verified: true, federation, answer: { cohort: ['JP', 'KR', 'VN'] } })
  await verifiesNothingElse(federation)
})

/** What is printed for people, and how it ends where something does not hold. */
async function verifiesNothingElse(federation: string): Promise<void> {
  const file = line.path('imports.release')
  const { stdout } = await line.run(['verify', file])
  expect(stdout).toMatch(/^Verified: released by Ada on .*\nIts fingerprint is \S+\. Compare it/)
  const changed = readFileSync(file)
  changed[changed.length - 100] = (changed[changed.length - 100] as number) ^ 1
  const bent = line.write('changed.release', changed)
  const refusals = [
    [[bent, '--explain'], 'not-a-release|bad-release'],
    [[line.path('imports.csv')], 'not-a-release'],
    [[line.path('none.release')], 'file-not-readable'],
    [[`${readFileSync(line.path('address.txt'), 'utf8').trim().slice(0, -64)}${'0'.repeat(64)}`], 'not-found'],
    [['http://stats.example.org/releases/x'], 'plain-http'],
    [[file, '--federation', `${federation.slice(1)}A`], 'wrong-federation'],
  ] as const
  for (const [args, code] of refusals) {
    const { status, stderr } = await line.run(['verify', ...args])
    expect([args, status, stderr]).toEqual([args, 1, expect.stringMatching(new RegExp(`\\[(${code})\\]`))])
  }
}

test('a steward is named by the policy, and decides about a question', async () => {
  await follow('steward', ['Make a key', 'Say who decides'], passphrase())
  const asking = line.start(['query', 'run', line.path('headings.yaml'), '--as', line.path('ada'), '--json'])
  await says('kr.log', /"msg":"a question waits for a steward"/)
  const [, question = ''] = /"msg":"a question waits for a steward","round":"([0-9a-f]+)"/.exec(logged('kr.log')) ?? []
  await follow('steward', ['Decide'], { QUESTION: question })
  expect(JSON.parse((await asking.ended).stdout)).toMatchObject({ cohort: ['JP', 'KR', 'VN'] })
  const [decided] = JSON.parse(readFileSync(line.path('decided.json'), 'utf8'))
  expect(decided).toMatchObject({ question, decisions: [{ steward: 'Kim', verdict: 'approve' }] })
})

test('a steward signs another policy, without which it is not in force', async () => {
  await follow('steward', ['Change the policy'])
  const shown = await line.succeed('member', 'policy', 'show', line.path('kr'), '--json')
  const { versions, waits } = JSON.parse(shown)
  expect([versions.at(-1), waits]).toMatchObject([{ admittedBy: 'stewards', signedBy: ['Kim'] }, null])
})

test('a researcher is revoked', async () => {
  const { fingerprint } = JSON.parse(await line.succeed('researcher', 'status', line.path('ada'), '--json'))
  const told = { FINGERPRINT: fingerprint }
  const revoking = blocks.filter(one => one.heading === 'Vouch for researchers')[1] as Block
  await execute(revoking, { ...passphrase(), ...told })
  await follow('coordinator', ['Researchers'], told)
  ran.push(revoking)
})

/** The blocks under a heading of a page, one by one. */
async function block(page: string, heading: string, at: number, environment: Record<string, string> = {}) {
  const found = blocks.filter(one => one.page === page && one.heading === heading)[at] as Block
  await execute(found, environment)
  ran.push(found)
}

const inForce = (epoch: number) =>
  until(
    async () =>
      JSON.parse(await line.succeed('coordinator', 'status', line.path('wco'), '--json')).charter.epoch === epoch,
    () => `epoch ${epoch}`,
  )
const sign = (...ids: string[]) =>
  Promise.all(ids.map(id => line.succeed('member', 'charter', 'sign', line.path(id), '--yes')))

test('a member joins, leaves, and another one gets a new key', async () => {
  await block('coordinator', 'A member joins', 0)
  const named = ['--id', 'SG', '--name', 'Customs of SG', '--invite', invitation('SG').INVITATION]
  await line.succeed('member', 'init', line.path('SG'), ...named)
  await block('coordinator', 'A member joins', 1)
  await sign('JP', 'VN', 'SG')
  await follow('member-node', ['Sign the charter'], passphrase())
  await inForce(2)
  await block('coordinator', 'A member leaves', 0)
  await sign('JP', 'VN')
  await follow('member-node', ['Sign the charter'], passphrase())
  await inForce(3)
  await block('member-node', 'Change the key', 0, passphrase())
  await block('coordinator', 'A member changes its key', 0)
  await sign('JP', 'VN')
  await block('member-node', 'Change the key', 1, passphrase())
  await inForce(4)
  await says(
    'kr.log',
    new RegExp(`"another key is in force","key":"${readFileSync(line.path('kr.fingerprint'), 'utf8').trim()}"`),
  )
  await block('coordinator', 'A member lost its key', 0)
  await block('member-node', 'Get another key', 0, { ...invitation('KR'), ...passphrase() })
  await block('coordinator', 'A member lost its key', 1)
  await sign('JP', 'VN')
  await block('member-node', 'Get another key', 1, passphrase())
  await inForce(5)
  await says('kr.log', /key-replaced/)
  await block('member-node', 'Get another key', 2, passphrase())
})

test('everybody watches, backs up and restores', async () => {
  await follow('coordinator', ['Watch', 'Back up and restore'])
  await follow('member-node', ['Back up and restore'], passphrase())
  await follow('researcher', ['Back up and restore'])
  expect(readFileSync(line.path('metrics.txt'), 'utf8')).toMatch(/^inbond_rounds\{state="opened"\} 2$/m)
})

test('the metrics that the pages speak of are there', async () => {
  const shown = await Promise.all(
    [9400, 9401].map(async port => {
      const actual = replaced.find(([from]) => from === String(port))?.[1]
      return (await fetch(`http://127.0.0.1:${actual}/metrics`)).text()
    }),
  )
  const pages = [
    ['coordinator', 0],
    ['member-node', 1],
    ['steward', 1],
  ] as const
  for (const [page, i] of pages) {
    const named = [...readFileSync(join(ROOT, 'docs', `${page}.md`), 'utf8').matchAll(/`(inbond_\w+)`/g)]
    expect(named.length).toBeGreaterThan(0)
    for (const [, name] of named) expect(shown[i]).toContain(`# TYPE ${name} `)
  }
})

test('every command of every page was run', () => {
  const left = blocks.filter(one => !ran.includes(one) && !FOREIGN.includes(one.language))
  expect(left).toEqual([])
  expect(new Set(blocks.map(one => one.language))).toEqual(new Set(['sh', 'yaml', 'csv', ...FOREIGN]))
})
