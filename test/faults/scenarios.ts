import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect } from 'vitest'
import { generateIdentityKey, type IdentityKey, writeKeyFile } from '#crypto/signature.ts'
import { presets } from '#member-node/policy.ts'
import { answerOf, type Finished, until } from '#test/processes/federation.ts'
import { type AfflictedFederation, byHand, expectedRows, MEMBERS, question, rowsOf } from './afflicted.ts'
import type { Killing } from './killing.ts'

const ENROLLED = 'SELECT public_key FROM parties WHERE subject = ? AND NOT is_replacement'
const PROPOSED = 'SELECT id FROM charters WHERE in_force_at IS NULL AND withdrawn_at IS NULL'
/** A member's prekeys that the coordinator may have already. */
const PUBLISHING = 'private_key IS NOT NULL AND published_at IS NULL'
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'

/** A query as `query list --json` shows it. */
export interface Listed {
  readonly query: string
  readonly purpose: string
  readonly state: string
}

/** What may become of a question. Each scenario goes on with the same question whatever dies on the way. */
export class Scenarios {
  readonly #afflicted: AfflictedFederation
  readonly #killing: Killing
  #asked = 0
  #answered: string[] = []
  #enrolled = 0
  #made = 0
  /** Of CC, once there is one. */
  #steward: IdentityKey | undefined
  #deputy: IdentityKey | undefined

  constructor(afflicted: AfflictedFederation, killing: Killing) {
    this.#afflicted = afflicted
    this.#killing = killing
  }

  /** Purposes of the questions that were answered. */
  get answered(): readonly string[] {
    return this.#answered
  }

  list(): Promise<Listed[]> {
    return this.#killing.persist('researcher', ['query', 'list', ...this.#as()]).then(text => JSON.parse(text))
  }

  /** Everybody answers. */
  readonly answer = async (): Promise<void> => {
    const purpose = this.#purpose()
    const finished = await this.#follow(purpose)
    expect(rowsOf(answerOf(finished))).toEqual(expectedRows)
    this.#answered.push(purpose)
  }

  /** Everybody answers; the answer is published, and read by somebody else. */
  readonly publish = async (): Promise<void> => {
    await this.answer()
    const own = (await this.#find(this.#answered.at(-1) as string))?.query as string
    const address = await this.#killing.persist('researcher', [
      'query',
      'release',
      own,
      ...this.#as().slice(0, 2),
      '--yes',
    ])
    await this.#killing.persist('researcher', ['verify', address.trim()])
  }

  /** A researcher looks what would become of a question. */
  readonly explain = async (): Promise<void> => {
    const file = this.#afflicted.federation.line.write('explained.yaml', question(`explained ${++this.#asked}`))
    await this.#killing.persist('researcher', ['query', 'explain', file, ...this.#as()])
  }

  /** CC's policy allows nothing. */
  readonly refuse = async (): Promise<void> => {
    this.#afflicted.federation.line.write('policy.yaml', policy(0))
    const { stderr } = await this.#follow(this.#purpose())
    expect(stderr).toMatch(/CC refused, so that fewer than the 3 needed can contribute \[round-void\]/)
    this.#afflicted.federation.line.write('policy.yaml', policy(1_000_000))
  }

  /** CC's policy leaves the next two questions to a steward, who approves one and refuses the other, and signs the policy after. */
  readonly decide = async (): Promise<void> => {
    const { line } = this.#afflicted.federation
    this.#steward ??= await generateIdentityKey()
    this.#deputy ??= await generateIdentityKey()
    line.write('kim.passphrase', 'a steward of CC')
    const key = line.write('kim.key', await writeKeyFile(this.#steward, 'a steward of CC'))
    const asKim = ['--as', 'Kim', '--key', key, '--passphrase-file', line.path('kim.passphrase')]
    const stewards = [{ name: 'Kim', key: this.#steward.publicKey }]
    const deputies = [{ name: 'Lee', key: this.#deputy.publicKey }]
    const takingOne = { ...presets.open, otherwise: 'one person', stewards, deputies, deputiesAfter: '1s' }
    line.write('policy.yaml', JSON.stringify(takingOne))
    const approved = this.#purpose()
    await this.#say('approve', await this.#ask(approved), asKim)
    expect(rowsOf(answerOf(await this.#follow(approved)))).toEqual(expectedRows)
    this.#answered.push(approved)
    const refused = this.#purpose()
    await this.#say('refuse', await this.#ask(refused), [...asKim, '--reason', 'not this one'])
    expect((await this.#follow(refused)).stderr).toMatch(/CC refused/)
    const ofCC = (command: string, ...options: string[]) =>
      this.#killing.persist(byHand('CC'), [
        'member',
        'policy',
        command,
        this.#afflicted.federation.of('CC'),
        ...options,
      ])
    line.write('policy.yaml', policy(1_000_000))
    await ofCC('sign', ...asKim, '--yes')
    line.write('policy.yaml', JSON.stringify(takingOne))
    await ofCC('show')
    line.write('policy.yaml', policy(1_000_000))
    await ofCC('sign', '--without-stewards', '--yes')
  }

  /** A steward of CC decides, once the deputies were told that nobody has. */
  async #say(verdict: 'approve' | 'refuse', query: string, options: readonly string[]): Promise<void> {
    const { federation } = this.#afflicted
    const books = federation.database('CC')
    const waiting = `SELECT rounds.id FROM notices JOIN rounds ON rounds.id = subject
      WHERE query = ? AND event = 'deputies' AND sent_at IS NOT NULL`
    const round = books.prepare(waiting).pluck()
    await until(
      () => round.get(query) !== undefined,
      () => 'the deputies to be told',
    )
    const deciding = ['member', verdict, federation.of('CC'), round.get(query) as string, ...options]
    books.close()
    let finished: Finished
    // Whoever died had decided, and the node may have acted on it by now.
    do finished = await this.#killing.attempt(byHand('CC'), deciding)
    while (finished.status !== 0 && !finished.stderr.includes('[too-late]'))
  }

  /** The researcher withdraws, when two of three have contributed. */
  readonly cancel = async (): Promise<void> => {
    const { federation } = this.#afflicted
    federation.process('BB').send('SIGSTOP')
    const purpose = this.#purpose()
    try {
      const own = await this.#ask(purpose)
      await this.#until(own, 'contributions', 2)
      await this.#killing.persist('researcher', ['query', 'cancel', own, ...this.#as().slice(0, 2)])
    } finally {
      federation.process('BB').send('SIGCONT')
    }
    const { stderr } = await this.#follow(purpose)
    expect(stderr).toContain('the researcher withdrew the query [round-void]')
  }

  /** BB starts anew. */
  readonly restart = async (): Promise<void> => {
    const { federation } = this.#afflicted
    const greetings = () =>
      this.#afflicted
        .traceOf('BB')
        .flat()
        .filter(one => one === 'after send GET /prekeys').length
    const before = greetings()
    await federation.process('BB').kill()
    await federation.startMember('BB')
    await until(
      () => greetings() > before,
      () => 'BB',
    )
  }

  async #decline(before: 'agree' | 'open'): Promise<void> {
    const { federation } = this.#afflicted
    const held = before === 'agree' ? 'PUT /rounds/{round}/contribution' : 'POST /rounds/{round}/agreements'
    await federation.process('AA').kill()
    this.#afflicted.killAt('AA', `before send ${held}`)
    const dying = federation.launch('AA')
    const purpose = this.#purpose()
    const own = await this.#ask(purpose)
    expect((await dying.ended).signal).toBe('SIGKILL')
    await this.#until(own, before === 'agree' ? 'contributions' : 'agreements', 2)
    this.#losePrekey(own)
    this.#afflicted.killAt('AA', undefined)
    await federation.startMember('AA')
    const { stderr } = await this.#follow(purpose)
    expect(stderr).toMatch(/and CC declined \[round-void\]/)
  }

  /** The researcher withdraws before any custodian has published a prekey, so that there is no round. Members do not run yet. */
  readonly cancelWaiting = async (): Promise<void> => {
    const { federation } = this.#afflicted
    const purpose = this.#purpose()
    const coordinator = federation.database('coordinator')
    await until(
      () =>
        fetch(`${federation.url}/readyz`).then(
          answer => answer.ok,
          () => false,
        ),
      () => 'the coordinator',
    )
    const waiting = coordinator.prepare('SELECT count(*) FROM queries').pluck().get() as number
    const asking = federation.line.start(this.#run(purpose))
    await until(
      () => coordinator.prepare('SELECT count(*) FROM queries').pluck().get() === waiting + 1,
      () => 'the query',
    )
    coordinator.close()
    await asking.kill()
    const own = (await this.#find(purpose))?.query as string
    await this.#killing.persist('researcher', ['query', 'cancel', own, '--as', federation.of('researcher')])
  }

  /** AA takes another key; a charter is proposed, another one in its place, and that is signed and taken up by all. */
  readonly sign = async (): Promise<void> => {
    const { federation } = this.#afflicted
    await this.#killing.persist(byHand('AA'), ['member', 'key', 'rotate', federation.of('AA')])
    const propose = ['coordinator', 'charter', 'propose', federation.of('coordinator')]
    for (let i = 0; i < 2; i++) await this.#killing.persist(byHand('coordinator'), propose)
    for (const id of MEMBERS) {
      await this.#killing.persist(byHand(id), ['member', 'charter', 'sign', federation.of(id), '--yes'])
    }
    const newest = 'SELECT id FROM charters WHERE in_force_at IS NOT NULL ORDER BY epoch DESC LIMIT 1'
    const inForce = ['coordinator', ...MEMBERS].map(party => federation.database(party).prepare(newest).pluck())
    const coordinator = federation.database('coordinator')
    const proposed = coordinator.prepare(PROPOSED).pluck()
    // Whoever has not taken it up cannot sign the one that follows it.
    await until(
      () => proposed.get() === undefined && new Set(inForce.map(one => one.get())).size === 1,
      () => 'everybody to take the charter up',
    )
    for (const one of inForce) one.database.close()
    coordinator.close()
  }

  /**
   * A member and a researcher are invited and enrol; the member enrols another key, and once more another one. AA vouches for the
   * researcher, who asks once and is revoked.
   */
  readonly enrol = async (): Promise<void> => {
    const { line } = this.#afflicted.federation
    const [name, folder] = [`Somebody ${++this.#enrolled}`, `enrolled-${this.#enrolled}`]
    const id = LETTERS[Math.floor(this.#enrolled / 26)] + (LETTERS[this.#enrolled % 26] as string)
    const [member, researcher] = [line.path(folder, 'AA'), line.path(folder, 'researcher')]
    const invitation = await this.#invite('--member', id)
    await this.#init(byHand('AA'), ['member', 'init', member, '--id', id, '--name', name, '--invite', invitation])
    for (const other of ['another', 'one more']) {
      const invite = await this.#invite('--member', id, '--replace')
      const directory = line.path(folder, other, 'AA')
      await this.#init(byHand('AA'), ['member', 'init', directory, '--id', id, '--name', name, '--invite', invite])
    }
    const other = await this.#invite('--researcher', name, '--sponsor', 'BB')
    await this.#init('researcher', ['researcher', 'init', researcher, '--name', name, '--invite', other])
    await this.#killing.persist(byHand('AA'), ['member', 'status', member])
    const { federation } = this.#afflicted
    const by = (party: string, ...args: string[]) => this.#killing.persist(byHand(party), args)
    const [{ fingerprint }] = JSON.parse(
      await by('coordinator', 'coordinator', 'researcher', 'list', federation.of('coordinator'), '--json'),
    ).filter((one: { name: string }) => one.name === name) as [{ fingerprint: string }]
    const assigning = ['coordinator', 'researcher', 'assign', federation.of('coordinator'), fingerprint]
    await by('coordinator', ...assigning, '--sponsor', 'AA')
    const vouching = ['member', 'researcher', 'sponsor', federation.of('AA'), fingerprint]
    await by('AA', ...vouching, '--purpose', 'research')
    const file = line.write('question.yaml', question(name))
    await this.#killing.persist('researcher', ['query', 'run', file, '--as', researcher])
    await by('AA', 'member', 'researcher', 'revoke', federation.of('AA'), fingerprint, '--reason', 'a test')
    const stopping = ['coordinator', 'researcher', 'revoke', federation.of('coordinator'), fingerprint]
    await by('coordinator', ...stopping, '--reason', 'a test')
    const coordinator = federation.database('coordinator')
    for (const [subject, path] of [
      [id, member],
      [name, researcher],
    ] as const) {
      const key = JSON.parse(readFileSync(join(path, 'keys', 'identity'), 'utf8')) as { x: string }
      const enrolled = coordinator.prepare(ENROLLED).pluck().all(subject)
      expect(enrolled).toEqual([key.x])
      expect(existsSync(join(path, 'config.yaml'))).toBe(true)
    }
    coordinator.close()
  }

  /** A coordinator is made, which nobody starts. */
  readonly make = async (): Promise<void> => {
    const directory = this.#afflicted.federation.line.path(`made-${++this.#made}`, 'coordinator')
    await this.#init(byHand('coordinator'), ['coordinator', 'init', directory, '--name', 'Another'])
    await this.#killing.persist(byHand('coordinator'), ['coordinator', 'status', directory])
  }

  /** CC has lost its prekey before it agrees. */
  readonly declineToAgree = () => this.#decline('agree')

  /** CC has lost its prekey before it opens. */
  readonly declineToOpen = () => this.#decline('open')

  async #invite(...who: string[]): Promise<string> {
    const inviting = ['coordinator', 'invite', this.#afflicted.federation.of('coordinator'), ...who]
    return (await this.#killing.persist(byHand('coordinator'), inviting)).trim()
  }

  /** Repeats an enrolment until it is complete: the attempt that completes it may die before it says so. */
  async #init(who: string, args: readonly string[]): Promise<void> {
    let finished: Finished
    do finished = await this.#killing.attempt(who, args)
    while (finished.status !== 0 && !finished.stderr.includes('[already-initialised]'))
  }

  /** CC lost the private halves of its unused prekeys, and replaces them when it starts. */
  readonly withdraw = async (): Promise<void> => {
    const deaths = this.#deaths()
    await this.#losePrekeys()
    await this.#afflicted.federation.startMember('CC')
    await this.#untilReplaced()
    // An answer that was lost is not missed: CC publishes the same keys again, when it is asked for more.
    await until(
      () => !this.#prekeys('CC', PUBLISHING).length || this.#deaths() > deaths,
      () => 'CC to know that its prekeys are published',
    )
  }

  /** CC dies at a point while it replaces prekeys that it lost, and is back. */
  async dieReplacing(point: string): Promise<void> {
    await this.#losePrekeys()
    await this.#killing.dieAt('CC', point)
    await this.#afflicted.federation.startMember('CC')
    await this.#untilReplaced()
  }

  async #losePrekeys(): Promise<void> {
    await this.#afflicted.federation.process('CC').kill()
    this.#lose('round IS NULL')
  }

  /** Until the coordinator offers of CC's prekeys those alone that CC can open. */
  async #untilReplaced(): Promise<void> {
    await until(
      () => {
        const held = new Set(this.#prekeys('CC', 'private_key IS NOT NULL'))
        const offered = this.#prekeys('coordinator', "custodian = 'CC' AND round IS NULL")
        return offered.length > 0 && offered.every(id => held.has(id))
      },
      () => 'CC to replace its prekeys',
    )
  }

  /** Ids of the prekeys that a party has, such as these. */
  #prekeys(party: string, which: string): unknown[] {
    const database = this.#afflicted.federation.database(party)
    const ids = database.prepare(`SELECT id FROM prekeys WHERE ${which}`).pluck().all()
    database.close()
    return ids
  }

  #deaths(): number {
    return [...this.#killing.deaths.values()].flat().length
  }

  #losePrekey(query: string): void {
    const coordinator = this.#afflicted.federation.database('coordinator')
    const select = 'SELECT p.id FROM prekeys p JOIN rounds r ON p.round = r.id WHERE r.query = ? AND custodian = ?'
    const id = coordinator.prepare(select).pluck().get(query, 'CC')
    coordinator.close()
    this.#lose(`id = '${id}'`)
  }

  /** CC loses private halves, as after a restore. */
  #lose(which: string): void {
    const own = new Database(join(this.#afflicted.federation.of('CC'), 'node.sqlite'))
    own.exec(`UPDATE prekeys SET private_key = NULL WHERE ${which}`)
    own.close()
  }

  /** Waits until so many rows of a query's round are there. */
  async #until(query: string, table: 'contributions' | 'agreements', count: number): Promise<void> {
    const coordinator = this.#afflicted.federation.database('coordinator')
    const select = `SELECT count(*) FROM ${table} t JOIN rounds r ON t.round = r.id WHERE r.query = ?`
    await until(
      () => Number(coordinator.prepare(select).pluck().get(query)) >= count,
      () => `${count} ${table}`,
    )
    coordinator.close()
  }

  /** Asks and does not wait for the answer. Returns the query's id once its round is announced. */
  async #ask(purpose: string): Promise<string> {
    for (;;) {
      const asking = this.#afflicted.federation.line.start(await this.#going(purpose))
      // Members may have contributed before it was told of any.
      const isAnnounced = await asking.says(/^(members contribute|custodians)/m).then(
        () => true,
        () => false,
      )
      const finished = await asking.kill()
      if (isAnnounced) return (await this.#find(purpose))?.query as string
      this.#killing.note('researcher', asking, finished)
    }
  }

  async #find(purpose: string): Promise<Listed | undefined> {
    return (await this.list()).find(one => one.purpose === purpose)
  }

  /** Follows a question to its end, having asked it if it was not. */
  async #follow(purpose: string): Promise<Finished> {
    for (;;) {
      const finished = await this.#killing.attempt('researcher', await this.#going(purpose))
      if (finished.status === 0 || finished.stderr.includes('[round-void]')) return finished
    }
  }

  /** The command that asks a question, or goes on with it. */
  async #going(purpose: string): Promise<string[]> {
    const own = await this.#find(purpose)
    return own === undefined ? this.#run(purpose) : ['query', 'follow', own.query, ...this.#as()]
  }

  #run(purpose: string): string[] {
    const file = this.#afflicted.federation.line.write('question.yaml', question(purpose))
    return ['query', 'run', file, ...this.#as()]
  }

  #as(): string[] {
    return ['--as', this.#afflicted.federation.of('researcher'), '--json']
  }

  #purpose(): string {
    return `question ${++this.#asked}`
  }
}

/** The policy that CC reads. */
export function policy(questionsADay: number): string {
  return `datasets: all
dimensions: 8
hsDigits: 6
dimensionsAtFinest: 8
smallestCohort: 3
questionsADay: ${questionsADay}
`
}
