import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, lstatSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { presets } from '#member-node/policy.ts'
import { remedyOf } from '#specs/problem.ts'
import { PROTOCOL } from '#specs/signed.ts'
import { CommandLine, Federation, type Finished, freePort, ROOT, type Surroundings } from './federation.ts'

/**
 * Every command as people type it, wrongly above all: it must say in one sentence what is wrong, name the code, say what to do, leave
 * standard output empty, and never show a stack trace.
 */

/** A federation of three in which questions are answered. */
let federation: Federation
/** A coordinator with one member, whose key is sealed with a passphrase, and a researcher; no charter. */
let young: { line: CommandLine; url: string; coordinator: string; member: string; researcher: string }
const PASSPHRASE = 'correct horse battery staple'

const CSV = `id,date,hs,from,price
1,2020-01-05,851712,CN,10.50
2,2020-01-06,010121,DE,3.335
3,2020-02-07,,ZZ,1
`
const MAP = `dataset: declarations
constants: { flow: import, currency: USD }
columns: { period: date, hs6: hs, origin: from, value: price }
`

beforeAll(async () => {
  ;[federation, young] = await Promise.all([Federation.create({ members: ['AA', 'BB', 'CC'] }), foundYoung()])
  await Promise.all(federation.ids.map(id => federation.load(id, CSV, MAP)))
  await federation.startMembers()
})
afterAll(async () => {
  await federation?.[Symbol.asyncDispose]()
  await young?.line[Symbol.asyncDispose]()
})

async function foundYoung() {
  const line = new CommandLine()
  const port = await freePort()
  const [coordinator, member, researcher] = ['coordinator', 'member', 'researcher'].map(name => line.path(name)) as [
    string,
    string,
    string,
  ]
  await line.succeed('coordinator', 'init', coordinator, '--name', 'A young one', '--port', String(port))
  const service = line.start(['coordinator', 'start', coordinator])
  await service.says(/is ready/)
  const invitation = async (...who: string[]) =>
    (await line.succeed('coordinator', 'invite', coordinator, ...who)).trim()
  const sealed = { environment: { INBOND_PASSPHRASE: PASSPHRASE } }
  const named = ['--id', 'AA', '--name', 'Customs of AA', '--invite', await invitation('--member', 'AA')]
  const made = await line.run(['member', 'init', member, ...named], sealed)
  expect(made).toMatchObject({ status: 0, stdout: expect.stringMatching(/^[\w-]{43}\n$/) })
  expect(made.stderr).toMatch(/\nThe fingerprint of its key, for those who compare it:\n$/)
  const ada = ['--name', 'Ada', '--invite', await invitation('--researcher', 'Ada', '--sponsor', 'AA')]
  expect(JSON.parse(await line.succeed('researcher', 'init', researcher, ...ada, '--json'))).toEqual({
    name: 'Ada',
    fingerprint: expect.stringMatching(/^[\w-]{43}$/),
    sponsor: 'AA',
    federation: expect.stringMatching(/^[\w-]{43}$/),
  })
  return { line, url: `http://127.0.0.1:${port}`, coordinator, member, researcher }
}

function run(...args: string[]): Promise<Finished> {
  return federation.line.run(args)
}

/** One sentence with its code, one line with what to do, and nothing else. */
function expectRefusal({ status, stdout, stderr }: Finished, code: string, sentence: RegExp): void {
  const [first = '', second = '', ...rest] = stderr.split('\n')
  expect(stderr).toMatch(new RegExp(`^inbond: .+ \\[${code}\\]\\n`))
  expect(first).toMatch(sentence)
  expect(first).not.toMatch(/undefined|null|\[object|Invalid|: expected|\.\s*\[/)
  expect(second).toBe(`  ${remedyOf(code)}`)
  expect(rest).toEqual([''])
  expect(stdout).toBe('')
  expect(status).toBe(1)
}

type Refused = [what: string, args: () => string[], code: string, sentence: RegExp]

function refuses(cases: readonly Refused[], surroundings?: Surroundings): void {
  it.concurrent.each(cases)('%s', async (_, args, code, sentence) => {
    expectRefusal(await federation.line.run(args(), surroundings), code, sentence)
  })
}

const at = (party: string) => federation.of(party)
const file = (name: string, text: string | Uint8Array) => federation.line.write(name, text)
const nowhere = () => federation.line.path('nowhere')

describe('help', () => {
  const COMMANDS = [
    'coordinator init',
    'coordinator start',
    'coordinator invite',
    'coordinator researcher list',
    'coordinator researcher assign',
    'coordinator researcher revoke',
    'coordinator charter propose',
    'coordinator status',
    'coordinator key passphrase',
    'coordinator backup',
    'coordinator restore',
    'member init',
    'member charter sign',
    'member researcher list',
    'member researcher sponsor',
    'member researcher sponsor-organisation',
    'member researcher revoke',
    'member import',
    'member period close',
    'member period reopen',
    'member start',
    'member status',
    'member key passphrase',
    'member key rotate',
    'member steward',
    'member queue',
    'member show',
    'member approve',
    'member refuse',
    'member policy show',
    'member policy sign',
    'policy check',
    'policy print',
    'member backup',
    'member restore',
    'researcher init',
    'researcher login',
    'researcher status',
    'researcher key passphrase',
    'researcher backup',
    'researcher restore',
    'query explain',
    'query run',
    'query list',
    'query follow',
    'query cancel',
    'query release',
    'verify',
  ]
  it.concurrent.each(COMMANDS)('inbond %s --help has an example', async command => {
    const { status, stdout, stderr } = await run(...command.split(' '), '--help')
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toContain(`Usage: inbond ${command} `)
    expect(stdout).toMatch(new RegExp(`\\nExample:\\n {2}inbond ${command} \\S`))
  })

  it.concurrent.each([
    '',
    'coordinator',
    'coordinator charter',
    'member',
    'member key',
    'member period',
    'member policy',
    'policy',
    'query',
    'researcher',
  ])('inbond %s --help lists what there is', async group => {
    const { status, stdout, stderr } = await run(...group.split(' ').filter(Boolean), '--help')
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    for (const command of COMMANDS.filter(one => group !== '' && one.startsWith(`${group} `))) {
      expect(stdout).toContain(`\n  ${command.slice(group.length + 1).split(' ')[0]} `)
    }
  })

  it('a group without a command shows its help and fails', async () => {
    const { status, stdout, stderr } = await run('coordinator')
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toContain('Usage: inbond coordinator')
  })

  it('the version is that of the package', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
    expect(await run('--version')).toMatchObject({
      status: 0,
      stdout: `inbond ${version}, protocol ${PROTOCOL}\n`,
      stderr: '',
    })
  })

  it('an unknown first word is refused', async () => {
    const { status, stdout, stderr } = await run('coordinate')
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(/^inbond: there is no command "coordinate" \[bad-option\]\n {2}\S.*\n$/)
  })
})

describe('coordinator, typed wrongly', () => {
  const init = (...options: string[]) => ['coordinator', 'init', nowhere(), ...options]
  // biome-ignore format: a table reads better with a case on each line
  refuses([
    ['an unknown command', () => ['coordinator', 'strt'], 'bad-option', /unknown command 'strt' \(did you mean start\?\)/],
    ['init without a directory', () => ['coordinator', 'init', '--name', 'X'], 'bad-option', /missing required argument 'dir'/],
    ['init without a name', () => init(), 'bad-option', /'--name <name>' not specified/],
    ['init with an empty name', () => init('--name', ''), 'bad-option', /a name has 1 to 200 characters/],
    ['init with a wrong option', () => init('--name', 'X', '--nme', 'Y'), 'bad-option', /unknown option '--nme' \(did you mean --name\?\)/],
    ['init with a word too many', () => init('--name', 'X', 'y'), 'bad-option', /too many arguments/],
    ['init with a strange port', () => init('--name', 'X', '--port', '99999'), 'bad-option', /99999 .*between 1 and 65535/],
    ['init with a strange currency', () => init('--name', 'X', '--currency', 'dollars'), 'bad-option', /three capital letters/],
    ['init with a strange address', () => init('--name', 'X', '--url', 'here'), 'bad-option', /begins with http/],
    ['init in a used directory', () => ['coordinator', 'init', at('coordinator'), '--name', 'X'], 'already-initialised', /already holds/],
    ['init below a file', () => ['coordinator', 'init', join(file('a-file', ''), 'c'), '--name', 'X'], 'not-writable', /a file is in the way/],
    ['start of nothing', () => ['coordinator', 'start', nowhere()], 'not-initialised', /nowhere is not the directory of a party/],
    ['start of a member', () => ['coordinator', 'start', at('AA')], 'not-allowed', /directory of a member, not of a coordinator/],
    ['start twice', () => ['coordinator', 'start', at('coordinator')], 'already-running', /process \d+ already serves/],
    ['status of nothing', () => ['coordinator', 'status', nowhere()], 'not-initialised', /nowhere/],
    ['an invitation for nobody', () => ['coordinator', 'invite', at('coordinator')], 'bad-option', /either for a --member or for a --researcher/],
    ['an invitation for two', () => ['coordinator', 'invite', at('coordinator'), '--member', 'DD', '--researcher', 'Bob'], 'bad-option', /either/],
    ['an invitation in small letters', () => ['coordinator', 'invite', at('coordinator'), '--member', 'kr'], 'bad-option', /2 to 16 capital letters/],
    ['an invitation for an empty name', () => ['coordinator', 'invite', at('coordinator'), '--researcher', ' '], 'bad-option', /1 to 200/],
    ['an invitation for a researcher without a sponsor', () => ['coordinator', 'invite', at('coordinator'), '--researcher', 'Bob'], 'bad-option', /a researcher needs a --sponsor/],
    ['an invitation for a member with one', () => ['coordinator', 'invite', at('coordinator'), '--member', 'DD', '--sponsor', 'AA'], 'bad-option', /only a researcher/],
    ['an invitation with a sponsor that is no member', () => ['coordinator', 'invite', at('coordinator'), '--researcher', 'Bob', '--sponsor', 'XX'], 'not-on-roster', /XX is not on the roster/],
    ['another sponsor for nobody', () => ['coordinator', 'researcher', 'assign', at('coordinator'), 'nobody', '--sponsor', 'BB'], 'not-found', /no researcher with the fingerprint nobody/],
    ['the end of nobody', () => ['coordinator', 'researcher', 'revoke', at('coordinator'), 'nobody', '--reason', 'x'], 'not-found', /no researcher/],
    ['the end of somebody for no reason', () => ['coordinator', 'researcher', 'revoke', at('coordinator'), 'nobody'], 'bad-option', /'--reason <text>' not specified/],
    ['an invitation of a member that is there', () => ['coordinator', 'invite', at('coordinator'), '--member', 'AA'], 'already-enrolled', /AA is enrolled already/],
    ['a charter over one member', () => ['coordinator', 'charter', 'propose', young.coordinator], 'bad-charter', /3 to 4096 members; 1 would be in it/],
    ['a charter with a strange custodian', () => ['coordinator', 'charter', 'propose', at('coordinator'), '--custodians', 'AA,BB,XX'], 'bad-charter', /XX is not an enrolled member; there are AA, BB, CC/],
    ['a charter without a stranger', () => ['coordinator', 'charter', 'propose', at('coordinator'), '--without', 'XX'], 'bad-charter', /XX is neither a member nor enrolled/],
    ['a charter without too many', () => ['coordinator', 'charter', 'propose', at('coordinator'), '--without', 'AA,BB'], 'bad-charter', /3 to 4096 members|would keep their keys/],
    ['a charter without too many, one by one', () => ['coordinator', 'charter', 'propose', at('coordinator'), '--without', 'AA', '--without', 'BB'], 'bad-charter', /3 to 4096 members|would keep their keys/],
    ['a charter with too high a quorum', () => ['coordinator', 'charter', 'propose', at('coordinator'), '--quorum', '999'], 'bad-charter', /the quorum lies between/],
    ['a charter with a strange quorum', () => ['coordinator', 'charter', 'propose', at('coordinator'), '--quorum', 'most'], 'bad-option', /--quorum most is not a number/],
    ['another key for a stranger', () => ['coordinator', 'invite', at('coordinator'), '--member', 'XX', '--replace'], 'not-found', /XX is not enrolled/],
    ['another key for a researcher', () => ['coordinator', 'invite', at('coordinator'), '--researcher', 'Ada', '--replace'], 'bad-option', /--replace is for the key of a --member/],
    ['a charter with too low a threshold', () => ['coordinator', 'charter', 'propose', at('coordinator'), '--threshold', '2'], 'bad-charter', /between 3 and 3/],
    ['a charter with a strange threshold', () => ['coordinator', 'charter', 'propose', at('coordinator'), '--threshold', 'all'], 'bad-option', /all is not a number/],
  ])

  it.concurrent('a port that another program has', async () => {
    const port = new URL(federation.url).port
    await federation.line.succeed('coordinator', 'init', at('second'), '--name', 'Second', '--port', port)
    const finished = await run('coordinator', 'start', at('second'))
    expectRefusal(finished, 'address-in-use', new RegExp(`127.0.0.1:${port} is in use`))
  })

  it.concurrent('an address that this machine does not have', async () => {
    const terms = ['--name', 'Elsewhere', '--host', '203.0.113.7', '--port', String(await freePort()), '--behind-proxy']
    terms.push('--url', 'https://elsewhere.example')
    await federation.line.succeed('coordinator', 'init', at('elsewhere'), ...terms)
    const finished = await run('coordinator', 'start', at('elsewhere'))
    expectRefusal(finished, 'bad-config', /cannot listen on 203\.0\.113\.7/)
  })

  const secured = (...files: string[]) => ['--tls-cert', file('tls.crt', 'hello'), ...files]
  const beyond = (...options: string[]) => ['coordinator', 'init', nowhere(), '--name', 'X', ...options]
  // biome-ignore format: a table reads better with a case on each line
  refuses([
    ['an address of others without encryption', () => beyond('--host', '0.0.0.0', '--url', 'https://inbond.example'), 'plain-http', /0\.0\.0\.0 can be reached from other machines/],
    ['an invitation to a plain address', () => beyond('--url', 'http://inbond.example'), 'plain-http', /requests to http:\/\/inbond\.example would not be encrypted/],
    ['a certificate without its key', () => beyond(...secured()), 'bad-option', /--tls-cert and --tls-key go together/],
    ['a certificate that is none', () => beyond(...secured('--tls-key', file('tls.key', 'hello'))), 'bad-tls-certificate', /is no certificate in PEM/],
    ['a certificate that is not there', () => beyond('--tls-cert', nowhere(), '--tls-key', nowhere()), 'file-not-readable', /nowhere cannot be read/],
  ])

  it.concurrent('an address of others without encryption, in a config.yaml of before', async () => {
    await federation.line.succeed('coordinator', 'init', at('open'), '--name', 'Open')
    const config = join(at('open'), 'config.yaml')
    writeFileSync(config, readFileSync(config, 'utf8').replace('host: 127.0.0.1', 'host: 0.0.0.0'))
    for (const [command, ...options] of [['start'], ['invite', '--member', 'AA']]) {
      const finished = await run('coordinator', command as string, at('open'), ...options)
      expectRefusal(finished, 'plain-http', /0\.0\.0\.0 can be reached from other machines/)
    }
  })

  it.concurrent('a config.yaml that was spoilt', async () => {
    await federation.line.succeed('coordinator', 'init', at('spoilt'), '--name', 'Spoilt')
    const config = join(at('spoilt'), 'config.yaml')
    writeFileSync(config, readFileSync(config, 'utf8').replace('8400', 'http').replace('currency', 'curency'))
    const finished = await run('coordinator', 'status', at('spoilt'))
    expectRefusal(finished, 'bad-config', /config\.yaml does not fit: currency: is missing; port: must be a number/)
  })
})

describe('the address in an invitation', () => {
  it.each([
    ['is where the coordinator listens', ['--host', '::1', '--port', '8477'], 'http://[::1]:8477'],
    ['is the public one', ['--url', 'HTTPS://Inbond.example/federation/'], 'https://inbond.example/federation'],
  ])('%s', async (_, options, expected) => {
    const directory = federation.line.path('addressed')
    await federation.line.succeed('coordinator', 'init', directory, '--name', 'X', ...options)
    const invitation = await federation.line.succeed('coordinator', 'invite', directory, '--member', 'DD')
    expect(invitation.split('#')[0]).toBe(expected)
    rmSync(directory, { recursive: true })
  })
})

describe('enrolment, typed wrongly', () => {
  const invite = async (...who: string[]) =>
    (await federation.line.succeed('coordinator', 'invite', at('coordinator'), ...who)).trim()
  const member = (...options: string[]) => ['member', 'init', nowhere(), '--id', 'DD', '--name', 'DD', ...options]
  const anInvitation = () => `${federation.url}#member.${'a'.repeat(24)}.${'b'.repeat(43)}`
  // biome-ignore format: a table reads better with a case on each line
  refuses([
    ['without an invitation', () => member(), 'bad-option', /'--invite <invitation>' not specified/],
    ['with something else', () => member('--invite', 'hello'), 'bad-invitation', /it looks like https/],
    ['at a plain address', () => member('--invite', anInvitation().replace('127.0.0.1', 'inbond.example')), 'plain-http', /requests to http:\/\/inbond\.example:\d+ would not be encrypted/],
    ['with a strange id', () => ['member', 'init', nowhere(), '--id', 'd', '--name', 'D', '--invite', 'x'], 'bad-option', /--id "d": a member id is 2 to 16 capital/],
    ['with an empty name', () => ['member', 'init', nowhere(), '--id', 'DD', '--name', '', '--invite', 'x'], 'bad-option', /a name has 1 to 200/],
    ['with a policy that is not there', () => member('--invite', 'x', '--policy', nowhere()), 'file-not-readable', /nowhere cannot be read: it does not exist/],
    ['with a policy that is none', () => member('--invite', 'x', '--policy', file('p.yaml', 'datasets: all\nhs: 2\n')), 'bad-policy', /organisations: is missing/],
    ['with a strange convention', () => member('--invite', 'x', '--date-basis', 'noon'), 'bad-option', /must be lodged, accepted or released/],
    ['at a coordinator with another key', () => member('--invite', anInvitation()), 'wrong-federation', /does not have the key/],
    ['as a researcher with a name that is too long', () => ['researcher', 'init', nowhere(), '--name', 'x'.repeat(201), '--invite', 'x'], 'bad-option', /1 to 200/],
  ])

  it.concurrent('at a coordinator that does not run', async () => {
    const away = anInvitation().replace(/:\d+#/, `:${await freePort()}#`)
    expectRefusal(await run(...member('--invite', away)), 'coordinator-unreachable', /does not answer/)
  })

  it.concurrent('with an invitation for somebody else, or of another kind', async () => {
    const [forMember, forResearcher] = [
      await invite('--member', 'EE'),
      await invite('--researcher', 'Eve', '--sponsor', 'AA'),
    ]
    expectRefusal(
      await run(...member('--invite', forMember)),
      'bad-invitation',
      /no open invitation of a member called DD/,
    )
    expectRefusal(await run(...member('--invite', forResearcher)), 'bad-invitation', /for a researcher/)
    expect(existsSync(nowhere())).toBe(false)
  })

  it.concurrent('an attempt that failed does not use the invitation up, and a used one is refused', async () => {
    const invitation = await invite('--member', 'GG')
    const named = ['--id', 'GG', '--name', 'GG', '--invite', invitation]
    const below = join(file('in-the-way', ''), 'gg')
    expectRefusal(await run('member', 'init', below, ...named), 'not-writable', /a file is in the way/)
    const made = await run('member', 'init', at('gg'), ...named)
    expect(made).toMatchObject({ status: 0, stdout: expect.stringMatching(/^[\w-]{43}\n$/) })
    expectRefusal(await run('member', 'init', at('gg2'), ...named), 'bad-invitation', /used before/)
    expectRefusal(await run('member', 'init', at('gg'), ...named), 'already-initialised', /gg already holds/)
  })

  it.concurrent('an enrolment that broke off after it was sent is taken up again', async () => {
    const named = ['--id', 'HH', '--name', 'HH', '--invite', await invite('--member', 'HH')]
    const first = await federation.line.succeed('member', 'init', at('hh'), ...named)
    const keys = join(at('hh'), 'keys')
    cpSync(keys, join(at('hh-again'), 'keys'), { recursive: true })
    expect(await federation.line.succeed('member', 'init', at('hh-again'), ...named)).toBe(first)
  })
})

describe('policies and stewards', () => {
  const asked = () => file('asked.yaml', QUERY)
  const byHand = () =>
    file(
      'by-hand.yaml',
      stringify({ ...presets.standard, otherwise: 'one person', stewards: [{ name: 'Kim', key: 'A'.repeat(43) }] }),
    )
  // biome-ignore format: a table reads better with a case on each line
  refuses([
    ['a check of a policy that is not there', () => ['policy', 'check', nowhere(), asked()], 'file-not-readable', /nowhere cannot be read/],
    ['a check of a policy that is none', () => ['policy', 'check', file('none.yaml', 'a: 1\n'), asked()], 'bad-policy', /organisations: is missing/],
    ['a check of a query that is none', () => ['policy', 'check', 'open', file('none.yaml', 'a: 1\n')], 'bad-query', /dataset: is missing/],
    ['a check for a strange number of members', () => ['policy', 'check', 'open', asked(), '--members', 'all'], 'bad-option', /not a number of members/],
    ['a preset that is none', () => ['policy', 'print', 'closed'], 'bad-option', /"closed" is neither open nor standard/],
    ['a steward without a passphrase', () => ['member', 'steward', nowhere(), '--name', 'Kim'], 'bad-option', /a key of a steward is sealed/],
    ['the queue of a coordinator', () => ['member', 'queue', at('coordinator')], 'not-allowed', /directory of a coordinator, not of a member/],
    ['a question that does not wait', () => ['member', 'show', at('AA'), '3fa1'], 'not-found', /no question with an id that begins with "3fa1"/],
    ['an approval by nobody', () => ['member', 'approve', at('AA'), '3fa1'], 'bad-option', /'--as <name>' not specified/],
    ['an approval without a key', () => ['member', 'approve', at('AA'), '3fa1', '--as', 'Kim', '--key', nowhere()], 'file-not-readable', /nowhere cannot be read/],
    ['an approval with a key that is not sealed', () => ['member', 'approve', at('AA'), '3fa1', '--as', 'Kim', '--key', join(at('AA'), 'keys', 'identity')], 'bad-key-file', /sealed with a passphrase; this one is not/],
    ['a signature by nobody', () => ['member', 'policy', 'sign', at('AA'), '--yes'], 'bad-option', /with --as and --key, or --without-stewards/],
    ['a signature by a steward and by the node', () => ['member', 'policy', 'sign', at('AA'), '--as', 'Kim', '--key', 'k', '--without-stewards'], 'bad-option', /with --as and --key, or --without-stewards/],
    ['a refusal without a reason', () => ['member', 'refuse', at('AA'), '3fa1', '--as', 'Kim', '--key', 'kim.key'], 'bad-option', /'--reason <reason>' not specified/],
  ])

  it.concurrent('a check says what a policy says, and its exit status too', async () => {
    const none = file('nobody.yaml', stringify({ ...presets.standard, purposes: [] }))
    const [allowed, hand, refused] = await Promise.all(
      ['standard', byHand(), none].map(policy => run('policy', 'check', policy, asked(), '--json')),
    )
    expect([allowed?.status, hand?.status, refused?.status]).toEqual([0, 3, 4])
    expect([allowed, hand, refused].map(one => JSON.parse(one?.stdout ?? ''))).toMatchObject([
      { verdict: 'allowed', approval: 'automatic', template: null, reasons: [] },
      { verdict: 'by hand', approval: 'one person' },
      { verdict: 'refused', reasons: ['nothing is answered for research'] },
    ])
    expect([allowed, hand, refused].map(one => one?.stderr)).toEqual(['', '', ''])
    expect((await run('policy', 'check', byHand(), asked())).stdout).toMatch(
      /^by hand\nit fits no template: one person must/,
    )
  })

  it.concurrent('a policy that is printed can be used, and says where its schema is', async () => {
    const printed = await federation.line.succeed('policy', 'print', 'standard')
    expect(printed).toMatch(/^# yaml-language-server: \$schema=\/.*\/specs\/policy\.schema\.json\n/)
    expect(await run('policy', 'check', file('printed.yaml', printed), asked())).toMatchObject({ status: 0 })
  })

  it.concurrent('a key of a steward is made once', async () => {
    const made = ['member', 'steward', federation.line.path('kim.key'), '--name', 'Kim']
    const sealed = { environment: { INBOND_PASSPHRASE: PASSPHRASE } }
    const { stdout } = await federation.line.run(made, sealed)
    expect(stdout).toMatch(/^- \{ name: "Kim", key: [\w-]{43} \}\n$/)
    expect(statSync(federation.line.path('kim.key')).mode & 0o777).toBe(0o600)
    expectRefusal(await federation.line.run(made, sealed), 'not-writable', /kim\.key is there already/)
  })

  it.concurrent('help offers a passphrase where there is a key, and nowhere else', async () => {
    const offers = async (...args: string[]) => /--passphrase-file/.test((await run(...args, '--help')).stdout)
    const keyless = [['policy', 'check'], ['policy', 'print'], ['verify']]
    expect(await Promise.all(keyless.map(args => offers(...args)))).toEqual([false, false, false])
    expect(await offers('member', 'policy', 'sign')).toBe(true)
  })

  it.concurrent('nothing waits where nothing was asked', async () => {
    expect(await federation.line.succeed('member', 'queue', at('AA'))).toBe('Nothing waits.\n')
    expect(await federation.line.succeed('member', 'queue', at('AA'), '--json')).toBe('[]\n')
  })
})

describe('before there is a charter', () => {
  const sealed = { environment: { INBOND_PASSPHRASE: PASSPHRASE } }

  it('signing and asking say that there is none, and a node waits for it', async () => {
    const query = young.line.write('q.yaml', QUERY)
    const [signing, asking, status] = await Promise.all([
      young.line.run(['member', 'charter', 'sign', young.member, '--yes'], sealed),
      young.line.run(['query', 'run', query, '--as', young.researcher]),
      young.line.run(['member', 'status', young.member], sealed),
    ])
    expectRefusal(signing, 'no-charter', /not proposed a charter yet/)
    expectRefusal(asking, 'charter-pending', /no charter in force yet/)
    expect(status).toMatchObject({ status: 0, stdout: expect.stringMatching(/^charter +none that names this node/m) })
    const node = young.line.start(['member', 'start', young.member], sealed)
    await node.says(/"msg":"waits","for":"a charter to be proposed"/)
    node.send('SIGTERM')
    expect(await node.ended).toMatchObject({ status: 0, stdout: '' })
  })

  it('a key is sealed with another passphrase', async () => {
    const [first, second] = ['first', 'second'].map(name => young.line.write(name, `${name}\n`)) as [string, string]
    const passphrase = ['researcher', 'key', 'passphrase', young.researcher]
    const without = await young.line.run([...passphrase, '--new-passphrase-file', first])
    expect(without).toMatchObject({ status: 0, stdout: expect.stringMatching(/^[\w-]{43}\n$/) })
    expectRefusal(
      await young.line.run([...passphrase, '--passphrase-file', second, '--without-passphrase']),
      'wrong-passphrase',
      /does not open the identity key/,
    )
    expectRefusal(await young.line.run(passphrase), 'bad-option', /--new-passphrase-file, or --without-passphrase/)
    const again = ['--passphrase-file', first, '--new-passphrase-file', second]
    expect(await young.line.run([...passphrase, ...again])).toMatchObject({ status: 0, stdout: without.stdout })
    const plain = await young.line.run([...passphrase, '--passphrase-file', second, '--without-passphrase'])
    expect(plain).toMatchObject({ status: 0, stderr: expect.stringMatching(/^Warning: .* without a passphrase/) })
  })

  it('a policy that names a steward is followed by what it signed, or the node in its place', async () => {
    const { line } = young
    const node = line.path('policed')
    cpSync(young.member, node, { recursive: true })
    const member = (...args: string[]) => line.run(['member', ...args], sealed)
    const made = await member('steward', line.path('lee.key'), '--name', 'Lee')
    const [, key] = /key: (\S+) /.exec(made.stdout) ?? []
    const rules = { ...presets.standard, otherwise: 'one person', stewards: [{ name: 'Lee', key }] }
    const policy = line.write('policed.yaml', stringify(rules))
    const config = readFileSync(join(node, 'config.yaml'), 'utf8')
    writeFileSync(join(node, 'config.yaml'), config.replace(/^policy:.*$/m, `policy: ${policy}`))
    expect((await member('policy', 'sign', node, '--without-stewards', '--yes')).stderr).toMatch(
      /is in force, as version 2;/,
    )
    line.write('policed.yaml', stringify({ ...rules, questionsADay: 7 }))
    expect((await member('queue', node)).stderr).toMatch(
      /^Another policy waits, .* has 0 of 1 signatures; Lee may sign: /,
    )
    const signing = ['policy', 'sign', node, '--as', 'Lee', '--key', line.path('lee.key')]
    const looked = await member(...signing)
    expect(looked).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringMatching(/^change +questionsADay: 7 instead of 50$/m),
    })
    const [, hash = ''] = /--yes --sha256 ([0-9a-f]{64})$/m.exec(looked.stderr) ?? []
    line.write('policed.yaml', stringify({ ...rules, questionsADay: 8 }))
    const swapped = await member(...signing, '--yes', '--sha256', hash)
    expect([swapped.status, swapped.stderr]).toEqual([
      1,
      expect.stringMatching(/another text .* nothing was signed \[not-confirmed\]/),
    ])
    line.write('policed.yaml', stringify({ ...rules, questionsADay: 7 }))
    const signed = await member(...signing, '--yes', '--sha256', hash)
    expect(signed).toMatchObject({ status: 0, stderr: 'Signed: it is in force, as version 3.\n' })
    line.write('policed.yaml', stringify(presets.standard))
    expect(await member('policy', 'sign', node, '--without-stewards', '--yes')).toMatchObject({ status: 0 })
    const [shown, queue, status] = await Promise.all([
      member('policy', 'show', node),
      member('queue', node, '--all'),
      member('status', node, '--json'),
    ])
    expect(shown.stdout).toMatch(
      /^1 .*\n2 .* nobody had to sign it\n3 .* signed by Lee\n4 .* without the stewards, by the node's key\n$/,
    )
    // The file may be gone; what was in force is there to be put back.
    const before = await member('policy', 'show', node, '--version', '3')
    expect(before).toMatchObject({ status: 0, stdout: stringify({ ...rules, questionsADay: 7 }), stderr: '' })
    expectRefusal(await member('policy', 'show', node, '--version', '5'), 'not-found', /in force is version 4/)
    expectRefusal(await member('policy', 'show', node, '--version', '3', '--json'), 'bad-option', /cannot be used with/)
    expect(queue.stderr).toMatch(/^Version 4 of the policy came into force at .* without the stewards/)
    expect(JSON.parse(status.stdout)).toMatchObject({
      policyVersion: 4,
      policyAdmittedBy: 'node',
      policySignedBy: [],
      policyWaits: null,
    })
  })

  it('a key that is sealed needs its passphrase', async () => {
    const key = readFileSync(join(young.member, 'keys', 'identity'), 'utf8')
    expect(key).toMatch(/^[\w-]+(\.[\w-]*){4}\n$/)
    const status = ['member', 'status', young.member]
    const other = young.line.write('other-passphrase', 'wrong\n')
    const right = young.line.write('passphrase', `${PASSPHRASE}\n`)
    const [without, wrong, empty, absent, good] = await Promise.all([
      young.line.run(status),
      young.line.run([...status, '--passphrase-file', other]),
      young.line.run(status, { environment: { INBOND_PASSPHRASE: '' } }),
      young.line.run([...status, '--passphrase-file', young.line.path('none')]),
      young.line.run([...status, '--passphrase-file', right]),
    ])
    expectRefusal(without, 'wrong-passphrase', /sealed with a passphrase/)
    expectRefusal(wrong, 'wrong-passphrase', /does not open the identity key/)
    expectRefusal(empty, 'bad-option', /INBOND_PASSPHRASE holds an empty passphrase/)
    expectRefusal(absent, 'file-not-readable', /none cannot be read: it does not exist/)
    expect(good.status).toBe(0)
  })
})

describe('import and periods, typed wrongly', () => {
  const importing = (path: string, map: string, ...options: string[]) => [
    'member',
    'import',
    at('AA'),
    'declarations',
    path,
    '--map',
    file(`${(++maps).toString()}.map.yaml`, map),
    ...options,
  ]
  let maps = 0
  const data = () => file('data.csv', CSV.replace('1,', '9,'))
  // biome-ignore format: a table reads better with a case on each line
  refuses([
    ['without a map', () => ['member', 'import', at('AA'), 'declarations', data()], 'bad-option', /'--map <map>' not specified/],
    ['into nothing', () => ['member', 'import', nowhere(), 'declarations', data(), '--map', data()], 'not-initialised', /nowhere/],
    ['into an unknown dataset', () => ['member', 'import', at('AA'), 'parcels', data(), '--map', data()], 'unknown-dataset', /no dataset "parcels"; there is declarations/],
    ['of a file that is not there', () => importing(nowhere(), MAP), 'file-not-readable', /nowhere cannot be read: it does not exist/],
    ['of a directory', () => importing(at('AA'), MAP), 'file-not-readable', /it is a directory/],
    ['of a binary file', () => importing(file('b.csv', Uint8Array.from({ length: 5000 }, (_, i) => (i * 7) % 256)), MAP), 'bad-file', /bytes of value 0/],
    ['of an empty file', () => importing(file('e.csv', ''), MAP), 'bad-file', /no header line/],
    ['of a spreadsheet', () => importing(file('x.xlsx', Uint8Array.of(0x50, 0x4b, 3, 4, 20)), MAP), 'bad-file', /spreadsheet or an archive/],
    ['of a file without a record that fits', () => importing(file('n.csv', 'date,hs,from,price\nnever,,,\n'), MAP), 'nothing-loaded', /period is not a date/],
    ['of the same file twice', () => ['member', 'import', at('BB'), 'declarations', federation.line.path('files', 'BB.csv'), '--map', federation.line.path('files', 'BB.yaml')], 'already-imported', /this very file was imported on/],
    ['with a map that is not there', () => ['member', 'import', at('AA'), 'declarations', data(), '--map', nowhere()], 'file-not-readable', /does not exist/],
    ['with a map that is not YAML', () => importing(data(), 'columns: ['), 'bad-mapping', /the map is not YAML: .* at line 1/],
    ['with an empty map', () => importing(data(), ''), 'bad-mapping', /does not fit: /],
    ['with half a map', () => importing(data(), 'dataset: declarations\n'), 'bad-mapping', /columns: is missing/],
    ['with a map of an unknown line', () => importing(data(), `${MAP}keys: id\n`), 'bad-mapping', /it has no field "keys"/],
    ['with a map to an unknown column', () => importing(data(), MAP.replace('origin', 'orign')), 'bad-mapping', /declarations has no column "orign"; it has flow, period/],
    ['with a map from an unknown column', () => importing(data(), MAP.replace('hs6: hs', 'hs6: HS6')), 'column-not-found', /no column "HS6" \(do you mean "hs"\?\)/],
    ['with a map without a period', () => importing(data(), MAP.replace('period: date, ', '')), 'bad-mapping', /does not say where period comes from/],
    ['with another currency', () => importing(data(), MAP.replace('USD', 'EUR')), 'currency-not-supported', /the map says EUR, and the charter counts in USD/],
    ['with a code that is none', () => importing(data(), MAP.replace('flow: import', 'flow: in')), 'bad-mapping', /flow: "in" is not a code/],
    ['complete for no period', () => importing(data(), MAP, '--complete', 'spring'), 'bad-option', /--complete spring is not a period such as/],
    ['replacing a thirteenth month', () => importing(data(), MAP, '--replace', 'period=2020-13'), 'bad-option', /--replace period=2020-13 is not a period|--replace 2020-13 is not a period/],
    ['closing a thirteenth month', () => ['member', 'period', 'close', at('AA'), 'declarations', '2020-13'], 'bad-option', /2020-13 is not a period/],
    ['closing backwards', () => ['member', 'period', 'close', at('AA'), 'declarations', '2020-05..2020-01'], 'bad-option', /is not a period/],
    ['reopening an unknown dataset', () => ['member', 'period', 'reopen', at('AA'), 'parcels', '2020-01'], 'unknown-dataset', /parcels/],
  ])
})

const QUERY = `dataset: declarations
where: { period: 2020-01 }
by: [origin]
measures: [{ count: records }, { sum: value }]
purpose: what came in January
`

describe('a researcher, vouched for wrongly', () => {
  const sponsor = (...args: string[]) => ['member', 'researcher', 'sponsor', at('AA'), 'nobody', ...args]
  const purpose = ['--purpose', 'research']
  const organisation = (...args: string[]) => [
    'member',
    'researcher',
    'sponsor-organisation',
    at('AA'),
    '--organisation',
    'X',
    '--client-id',
    'x',
    ...purpose,
    ...args,
  ]
  // biome-ignore format: a table
  refuses([
    ['without a purpose', () => sponsor(), 'bad-option', /'--purpose <code>' not specified/],
    ['with a purpose in capitals', () => sponsor('--purpose', 'Research'), 'bad-option', /a purpose is one of/],
    ['with an empty role', () => sponsor(...purpose, '--role', ' '), 'bad-option', /1 to 100 characters/],
    ['for ever', () => sponsor(...purpose, '--expires', 'never'), 'bad-option', /number of days such as 90d/],
    ['for two years', () => sponsor(...purpose, '--expires', '730d'), 'bad-option', /at most 366d/],
    ['that nobody is', () => sponsor(...purpose), 'not-found', /nobody with the fingerprint nobody asks AA/],
    ['and an organisation at an address without TLS', () => organisation('--issuer', 'http://login.example'), 'bad-option', /an issuer begins with https/],
    ['and an organisation whose provider does not answer', () => organisation('--issuer', 'http://127.0.0.1:9'), 'login-failed', /127.0.0.1:9.* does not answer/],
    ['who logs in to nothing', () => ['researcher', 'login', nowhere()], 'bad-option', /a new directory needs --federation/],
    ['who logs in somewhere', () => ['researcher', 'login', nowhere(), '--federation', 'here'], 'bad-option', /looks like https:/],
    ['who logs in where no organisation is vouched for', () => ['researcher', 'login', at('researcher')], 'not-found', /no member vouches for an organisation/],
    ['and revoked without being there', () => ['member', 'researcher', 'revoke', at('AA'), 'nobody', '--reason', 'x'], 'not-found', /is sponsored by AA/],
  ])

  it.concurrent('is listed, vouched for, revoked', async () => {
    const fingerprint = await federation.enrolResearcher('grace', 'Grace')
    const member = (verb: string, ...args: string[]) => run('member', 'researcher', verb, at('AA'), ...args)
    expect((await member('list')).stdout).toMatch(new RegExp(`^${fingerprint}  Grace +asks to be sponsored$`, 'm'))
    const asking = ['query', 'run', file('grace.yaml', QUERY), '--as', at('grace')]
    expectRefusal(await run(...asking), 'not-sponsored', /AA is asked to vouch for you; your fingerprint is/)
    const vouched = await member('sponsor', fingerprint, '--purpose', 'research', '--purpose', 'risk-analysis')
    expect(vouched).toMatchObject({ status: 0, stderr: expect.stringMatching(/^AA vouches for Grace until \d{4}-/) })
    expect((await member('list')).stdout).toMatch(/Grace +until \d{4}-\d\d-\d\d, for research, risk-analysis$/m)
    expect((await run('researcher', 'status', at('grace'))).stdout).toMatch(/^certificate +until .*, sponsored by AA$/m)
    await member('revoke', fingerprint, '--reason', 'left the organisation')
    expectRefusal(await run(...asking), 'researcher-revoked', /you were revoked by AA: left the organisation/)
    const { stdout } = await run('coordinator', 'researcher', 'list', at('coordinator'))
    expect(stdout).toMatch(/Grace +revoked by AA: left the organisation$/m)
  })
})

describe('a query, typed wrongly', () => {
  let written = 0
  const asking = (yaml: string, ...options: string[]) => [
    'query',
    'run',
    file(`${(++written).toString()}.query.yaml`, yaml),
    '--as',
    at('researcher'),
    ...options,
  ]
  const changed = (from: string, to: string) => () => asking(QUERY.replace(from, to))
  // biome-ignore format: a table reads better with a case on each line
  refuses([
    ['without a file', () => ['query', 'run', '--as', at('researcher')], 'bad-option', /missing required argument 'file'/],
    ['without a researcher', () => ['query', 'run', 'q.yaml'], 'bad-option', /'--as <dir>' not specified/],
    ['from a file that is not there', () => ['query', 'run', nowhere(), '--as', at('researcher')], 'file-not-readable', /does not exist/],
    ['as nobody', () => ['query', 'run', file('good.yaml', QUERY), '--as', nowhere()], 'not-initialised', /nowhere/],
    ['as a member', () => ['query', 'run', file('good.yaml', QUERY), '--as', at('AA')], 'not-allowed', /directory of a member, not of a researcher/],
    ['in two forms at once', () => asking(QUERY, '--json', '--csv'), 'bad-option', /'--csv' cannot be used with option '--json'/],
    ['explained from a file that is not there', () => ['query', 'explain', nowhere(), '--as', at('researcher')], 'file-not-readable', /does not exist/],
    ['explained with more members than there are', () => ['query', 'explain', file('many.yaml', `${QUERY}need: { atLeast: 9 }\n`), '--as', at('researcher')], 'bad-query', /at least 9 members, but the federation has 3/],
    ['that is empty', () => asking(''), 'bad-query', /does not fit/],
    ['that is not YAML', () => asking('by: [hs2'), 'bad-query', /the query is not YAML: .* at line/],
    ['about an unknown dataset', changed('declarations', 'parcels'), 'unknown-dataset', /no dataset "parcels"/],
    ['without a purpose', changed('purpose: what came in January\n', ''), 'bad-query', /purpose: is missing/],
    ['with a short purpose', changed('what came in January', 'x'), 'bad-query', /purpose: must have at least 3 characters/],
    ['without measures', changed('[{ count: records }, { sum: value }]', '[]'), 'bad-query', /measures: must have at least 1 entry/],
    ['with a mean', changed('sum: value', 'mean: value'), 'bad-query', /measures\.1: must be \{ count: records \}/],
    ['with an unknown measure', changed('sum: value', 'sum: price'), 'bad-query', /no measure "price"; it has value, netMass/],
    ['by an unknown dimension', changed('[origin]', '[country]'), 'bad-query', /no dimension "country"; it has flow, period/],
    ['by one dimension twice', changed('[origin]', '[origin, origin]'), 'bad-query', /by names origin twice/],
    ['by the period of no period', changed('{ period: 2020-01 }\nby: [origin]', '{}\nby: [period]'), 'bad-query', /by period needs where\.period/],
    ['with an unknown line', changed('by:', 'group:'), 'bad-query', /it has no field "group"/],
    ['of a thirteenth month', changed('2020-01', '2020-13'), 'bad-query', /2020-13 is not a range of months|2020-13 to 2020-13/],
    ['of a code that is spelt otherwise', changed('{ period: 2020-01 }', '{ origin: KOR }'), 'bad-query', /do you mean "KR"\?/],
    ['of a prefix without codes', changed('{ period: 2020-01 }', '{ hs6: "9x*" }'), 'bad-query', /no code .* begins with "9x"/],
    ['with too many slots', changed('[origin]', '[hs6, origin, transport]'), 'too-many-slots', /\d+ slots; at most 2000000 /],
    ['with a strange need', () => asking(`${QUERY}need: most\n`), 'bad-query', /need: must be all, or \{ atLeast: 4 \}/],
    ['with more members than there are', () => asking(`${QUERY}need: { atLeast: 9 }\n`), 'bad-query', /at least 9 members, but the federation has 3/],
    ['with a strange time', () => asking(`${QUERY}closes: soon\n`), 'bad-query', /closes: soon is not a time between 1s and 7d/],
    ['followed by an id that is not there', () => ['query', 'follow', 'ffffff', '--as', at('researcher')], 'not-found', /there is no query ffffff here/],
    ['followed by something else', () => ['query', 'follow', 'mine', '--as', at('researcher')], 'not-found', /"mine" is not the id of a query/],
    ['released by an id that is not there', () => ['query', 'release', 'ffffff', '--as', at('researcher')], 'not-found', /there is no query ffffff here/],
    ['verified where nothing is', () => ['verify', nowhere()], 'file-not-readable', /nowhere cannot be read/],
    ['verified in a folder', () => ['verify', at('researcher')], 'file-not-readable', /researcher cannot be read/],
    ['verified in what is something else', () => ['verify', file('letter.txt', 'Dear reader')], 'not-a-release', /it is no JSON text/],
    ['verified against no fingerprint', () => ['verify', nowhere(), '--federation', 'KR'], 'bad-option', /--federation "KR": a fingerprint has 43/],
    ['verified at a plain address', () => ['verify', 'http://stats.example.org/releases/1'], 'plain-http', /would not be encrypted/],
    ['withdrawn by an id that is not there', () => ['query', 'cancel', 'ffffff', '--as', at('researcher')], 'not-found', /there is no query ffffff here/],
    ['status of nobody', () => ['researcher', 'status', nowhere()], 'not-initialised', /nowhere/],
  ])

  it.concurrent('with a coordinator that does not run', async () => {
    const away = at('researcher-away')
    cpSync(at('researcher'), away, { recursive: true, filter: path => !path.includes('.sqlite') })
    const config = join(away, 'config.yaml')
    writeFileSync(config, readFileSync(config, 'utf8').replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${await freePort()}`))
    const finished = await run('query', 'run', file('good.yaml', QUERY), '--as', away)
    expectRefusal(finished, 'coordinator-unreachable', /does not answer/)
    expect(await run('researcher', 'status', away)).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(
        /^The coordinator cannot be asked: .* does not answer.*\.\n\nfingerprint +.+\ncertificate +none yet\n/,
      ),
    })
    const listed = await run('query', 'list', '--as', away, '--json')
    expect(listed).toMatchObject({ status: 0, stdout: '[]\n' })
    expect(listed.stderr).toMatch(/^Warning: .* does not answer .*; this is what was known before\.\n$/)
  })

  it.concurrent('says where it went wrong only with --verbose', async () => {
    const { status, stderr } = await run('query', 'run', nowhere(), '--as', at('researcher'), '--verbose')
    expect(status).toBe(1)
    expect(stderr).toMatch(/^inbond: .*\[file-not-readable\]\n {2}.*\n\nInbondError: /)
    expect(stderr).toMatch(/\n\s+at .*\ncaused by Error: ENOENT/)
  })
})

describe('what a command prints', () => {
  it('an answer is the standard output, for people, programs and spreadsheets', async () => {
    const asked = file('answer.yaml', QUERY)
    const { status, stdout, stderr } = await run('query', 'run', asked, '--as', at('researcher'))
    expect(status).toBe(0)
    expect(stdout).toMatch(/^what came in January\n\nCountry of origin .*\n.*\nCN .*31\.50\n/)
    expect(stdout).toMatch(/^members +AA, BB, CC$/m)
    expect(stderr).toMatch(/^Query [0-9a-f]{12}: what came in January\n(.*: .*AA.*\n)*answered: AA, BB, CC contributed/)
    const [, id] = /^query +([0-9a-f]{64})$/m.exec(stdout) as unknown as [string, string]
    const follow = ['query', 'follow', id.slice(0, 8), '--as', at('researcher')]
    const [json, csv, list, again] = await Promise.all([
      run(...follow, '--json'),
      run(...follow, '--csv'),
      run('query', 'list', '--as', at('researcher')),
      run('query', 'cancel', id, '--as', at('researcher')),
    ])
    expect(JSON.parse(json.stdout)).toMatchObject({
      query: id,
      cohort: ['AA', 'BB', 'CC'],
      units: { 'sum(value)': 'USD' },
      rows: [
        { origin: 'CN', 'count(records)': 3, 'sum(value)': '31.50' },
        { origin: 'DE', 'count(records)': 3, 'sum(value)': '10.02' },
      ],
    })
    expect(csv.stdout).toBe('origin,count(records),sum(value)\r\nCN,3,31.50\r\nDE,3,10.02\r\n')
    expect([json.stderr, csv.stderr]).toEqual(['', ''])
    expect(list.stdout).toMatch(new RegExp(`^${id.slice(0, 12)} .* what came in January +answered, read$`, 'm'))
    expectRefusal(again, 'too-late', /ended already \(opened\)/)
    const release = ['query', 'release', id, '--as', at('researcher')]
    const warned = await run(...release)
    expect(warned).toMatchObject({ status: 1, stdout: '' })
    expect(warned.stderr).toMatch(
      /^"what came in January": .* 2 rows, .*, your name, organisation, role, purposes and sponsor, and your note/,
    )
    const released = await run(...release, '--yes', '--json')
    expect(JSON.parse(released.stdout)).toEqual({
      query: id,
      address: expect.stringMatching(/^http:.*\/releases\/[0-9a-f]{64}$/),
    })
  })

  it('what a backup and a restore made, for programs', async () => {
    const [folder, restored] = [federation.line.path('ada-copied'), federation.line.path('ada-restored')]
    const backup = await run('researcher', 'backup', at('researcher'), folder, '--json')
    const made = JSON.parse(backup.stdout)
    expect(made).toEqual({
      folder,
      keyIsSealed: false,
      madeAt: expect.stringMatching(/Z$/),
      files: expect.any(Number),
      bytes: expect.any(Number),
    })
    const { stdout } = await run('researcher', 'restore', restored, folder, '--json')
    expect(JSON.parse(stdout)).toEqual({ directory: restored, madeAt: made.madeAt })
  })

  it('a withdrawn query is void, for whoever follows it too', async () => {
    federation.process('CC').send('SIGSTOP')
    const asking = federation.ask(QUERY)
    await asking.says(/CC[^;]* asked/)
    const [, id = ''] = /^Query ([0-9a-f]{12})/.exec(asking.stderr) ?? []
    const withdrawn = await run('query', 'cancel', id, '--as', at('researcher'), '--json')
    expect(withdrawn).toMatchObject({ status: 0, stderr: `Withdrew query ${id}: what came in January\n` })
    expect(JSON.parse(withdrawn.stdout)).toEqual({
      query: expect.stringMatching(`^${id}[0-9a-f]{52}$`),
      purpose: 'what came in January',
    })
    federation.process('CC').send('SIGCONT')
    expect(await asking.ended).toMatchObject({ status: 1, stdout: '' })
    const following = await run('query', 'follow', id, '--as', at('researcher'), '--json')
    expectRefusal(following, 'round-void', /the researcher withdrew the query/)
  })

  it('a charter is shown before it is signed, and signed only with --yes', async () => {
    const proposing = [
      'coordinator',
      'charter',
      'propose',
      at('coordinator'),
      '--custodians',
      'AA,BB',
      '--custodians',
      'CC',
    ]
    const id = (await federation.line.succeed(...proposing)).trim()
    const { status, stdout, stderr } = await run('member', 'charter', 'sign', at('AA'))
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(/^charter +[0-9a-f]{64}\nfederation +Test of processes, epoch 2\n/)
    expect(stderr).toMatch(/\nmember +BB {2}[\w-]{43} {2}Customs of BB\n/)
    expect(stderr).toMatch(/\nfigures +AA, BB, CC.*: imports CIF, exports FOB, general trade, date accepted, HS2022\n/)
    const line = `member charter sign ${at('AA')} --yes --charter ${id}`
    expect(stderr).toContain(`\nTo sign this charter and no other: inbond ${line}\n`)
    expect(stderr).toMatch(/\ninbond: nothing was signed \[not-confirmed\]\n {2}Read what is shown.*\n$/)
    const signing = ['member', 'charter', 'sign', at('AA'), '--yes', '--charter']
    const other = await run(...signing, `${id.slice(0, 11)}${id[11] === '0' ? 1 : 0}`)
    expect(other).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/another charter is proposed .*\[not-confirmed\]/),
    })
    expect(await run(...signing, 'x')).toMatchObject({ status: 1, stderr: expect.stringMatching(/\[bad-option\]/) })
    const shown = await run(...signing, id.slice(0, 12))
    expect(shown).toMatchObject({ status: 0, stdout: stderr.slice(0, stderr.indexOf('To sign')) })
    expect(shown.stderr).toMatch(/^Signed\. It waits for [^.]*\.\n$/)
    const again = await run(...proposing)
    expect(again).toMatchObject({
      stdout: `${id}\n`,
      stderr: expect.stringMatching(/^This charter is proposed already/),
    })
  })

  it('a status for people and for programs', async () => {
    const [coordinator, member, researcher, ...forPrograms] = (await Promise.all([
      run('coordinator', 'status', at('coordinator')),
      run('member', 'status', at('BB')),
      run('researcher', 'status', at('researcher')),
      run('coordinator', 'status', at('coordinator'), '--json'),
      run('member', 'status', at('BB'), '--json'),
      run('researcher', 'status', at('researcher'), '--json'),
      run('query', 'list', '--as', at('researcher'), '--json'),
    ])) as [Finished, Finished, Finished, ...Finished[]]
    const firstLines = [coordinator, member, researcher].map(one => one.stdout.split('\n')[0])
    expect(firstLines).toEqual([
      expect.stringMatching(/^The proposed charter is not signed by GG, HH, BB, CC/),
      `A charter waits for your signature: inbond member charter sign ${at('BB')}`,
      'All is well.',
    ])
    expect(coordinator.stdout).toMatch(/^member +AA: seen \d+ seconds? ago, custodian with \d+ unused prekeys$/m)
    expect(coordinator.stdout).toMatch(/^disk +\d.* free, .* in databases$/m)
    expect(coordinator.stdout).toMatch(/^process +running, \d+$/m)
    expect(member.stdout).toMatch(/^data +declarations: 3 records, 2020-01 to 2020-12$/m)
    expect(member.stdout).toMatch(/^policy +open: answers everything/m)
    expect(researcher.stdout).toMatch(/^members +AA, BB, CC$/m)
    for (const { status, stdout, stderr } of forPrograms) {
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      expect(JSON.parse(stdout)).toBeTypeOf('object')
    }
    expect(JSON.parse((forPrograms[1] as Finished).stdout)).toMatchObject({
      id: 'BB',
      process: federation.process('BB').pid,
    })
  })

  it('an import report; a dry run keeps nothing, a key and --replace replace', async () => {
    const map = file('keyed.yaml', `${MAP}key: id\n`)
    const data = file('new.csv', CSV.replaceAll('2020-', '2021-'))
    const importing = ['member', 'import', at('CC'), 'declarations', data, '--map', map]
    const records = async () =>
      JSON.parse(await federation.line.succeed('member', 'status', at('CC'), '--json')).datasets[0].records
    const dry = await run(...importing, '--dry-run')
    expect(dry.stdout).toMatch(
      /^new\.csv: 3 records read, 3 loaded, 0 replaced, 0 rejected \(dry run: nothing was kept\)\n/,
    )
    expect(await records()).toBe(3)
    const report = async (...options: string[]) =>
      JSON.parse(await federation.line.succeed(...importing, '--json', ...options))
    expect(await report()).toMatchObject({
      read: 3,
      loaded: 3,
      replaced: 0,
      rounded: { value: 1 },
      unknown: { hs2: 1, origin: 1 },
    })
    expect(await report()).toMatchObject({ read: 3, loaded: 0, replaced: 3 })
    expect(await report('--replace', 'period=2021-01')).toMatchObject({ removed: 2, loaded: 2, replaced: 1 })
    expect(await records()).toBe(6)
  })

  it('a period is closed and reopened', async () => {
    const period = (verb: string, text: string) => run('member', 'period', verb, at('BB'), 'declarations', text)
    const importing = (...options: string[]) =>
      run('member', 'import', at('BB'), 'declarations', file('c.csv', CSV), '--map', file('m.yaml', MAP), ...options)
    expect((await period('close', '2022-01..2022-03')).stderr).toBe(
      '3 months changed; 2022-01..2022-03 is complete.\nNo records of 2022-01..2022-03: they are complete with none.\n',
    )
    expectRefusal(await period('close', '2999-01'), 'not-ended', /2999-01 has not ended/)
    expectRefusal(await importing('--complete', '2999-01'), 'not-ended', /2999-01 has not ended/)
    expect((await period('reopen', '2022-02')).stderr).toBe(
      '1 month changed; 2022-02 is provisional, and questions are answered from the closed version until it is closed again.\n',
    )
    expect((await period('reopen', '2022-02')).stderr).toBe('Nothing to change; 2022-02 is provisional.\n')
  })

  // biome-ignore format: a table reads better with a case on each line
  it('what a command did, for programs', async () => {
    const { line } = federation
    const invite = async (...who: string[]) => (await line.succeed('coordinator', 'invite', at('coordinator'), ...who)).trim()
    const [ee, hal] = [await invite('--member', 'EE'), await invite('--researcher', 'Hal', '--sponsor', 'AA')]
    const print = (await line.succeed('researcher', 'init', at('hal'), '--name', 'Hal', '--invite', hal)).trim()
    const fingerprint = expect.stringMatching(/^[\w-]{43}$/)
    const done: readonly (readonly [string[], object])[] = [
      [['init', at('ee'), '--id', 'EE', '--name', 'Customs of EE', '--invite', ee], { id: 'EE', fingerprint }],
      [['period', 'close', at('BB'), 'declarations', '2022-05'], { from: '2022-05', state: 'complete', changed: 1, empty: ['2022-05'] }],
      [['period', 'reopen', at('BB'), 'declarations', '2022-05'], { dataset: 'declarations', state: 'provisional', changed: 1 }],
      [['researcher', 'sponsor', at('AA'), print, '--purpose', 'research'], { name: 'Hal', sponsor: 'AA', purposes: ['research'] }],
      [['researcher', 'revoke', at('AA'), print, '--reason', 'no more'], { revoked: print, reason: 'no more' }],
      [['policy', 'sign', at('AA'), '--without-stewards', '--yes'], { signed: null, policyVersion: 1, policyWaits: null }],
      [['backup', at('CC'), at('cc.backup')], { folder: at('cc.backup'), keyIsSealed: false, madeAt: expect.any(String) }],
      [['restore', at('cc-anew'), at('cc.backup')], { directory: at('cc-anew'), madeAt: expect.any(String) }],
      [['status', at('cc-anew')], { restored: { at: expect.any(String), takesPartFrom: expect.any(String) } }],
      [['key', 'rotate', at('cc-anew')], { key: fingerprint, waitingKey: fingerprint }],
    ]
    for (const [args, said] of done) expect(JSON.parse(await line.succeed('member', ...args, '--json'))).toMatchObject(said)
    expect(await line.succeed('member', 'status', at('cc-anew'))).toMatch(/^restored +at .*Z, or begun with another key/m)
  })

  it('an output that nobody reads to its end is no error', () => {
    const { status, stderr } = piped(`"${join(ROOT, 'inbond')}" researcher status "${at('researcher')}" | true`)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })
})

function piped(command: string): { status: number | null; stderr: string } {
  return spawnSync('sh', ['-c', command], { encoding: 'utf8' })
}

describe('what lies on the disk', () => {
  it('is its owner’s alone', () => {
    const open: string[] = []
    for (const party of ['coordinator', ...federation.ids, 'researcher']) {
      for (const path of ['', ...(readdirSync(at(party), { recursive: true }) as string[])]) {
        const stat = lstatSync(join(at(party), path), { throwIfNoEntry: false })
        if (stat && (stat.mode & 0o077) !== 0) open.push(join(party, path))
      }
    }
    expect(open).toEqual([])
    expect(statSync(at('AA')).mode & 0o777).toBe(0o700)
    expect(statSync(join(at('AA'), 'keys', 'identity')).mode & 0o777).toBe(0o600)
  })
})
