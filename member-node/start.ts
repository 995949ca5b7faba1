import { messageId } from '#crypto/signature.ts'
import { systemClock } from '#party/clock.ts'
import { type CommonOptions, readTextFile, type Terminal } from '#party/command.ts'
import type { Coordinates } from '#party/coordinates.ts'
import { meetCoordinator } from '#party/invitation.ts'
import { openLog } from '#party/log.ts'
import { isReadable } from '#party/loopback.ts'
import { Operator } from '#party/operator.ts'
import { claimDirectory } from '#party/running.ts'
import type { FederationInfo } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { standingOf, verifyProposal } from '#specs/rules/charter.ts'
import { inWords, isFulfilled } from '#specs/rules/succession.ts'
import { charterInForce, placeOf } from './charters.ts'
import type { Config } from './config.ts'
import { levelOf, type NodeEvent, observer, policyNews, type Tell, untold } from './events.ts'
import { mailServer } from './mail-server.ts'
import { countEvents, measureState } from './metrics.ts'
import type { Node } from './node.ts'
import { keepTelling, mail, type Way, webhook } from './notices.ts'
import { keepOffering } from './offers.ts'
import { warehouseFile, withNode } from './open.ts'
import { type Observer, work } from './work.ts'

const PENDING_CHECK_MS = 2_000
const SHORTEST_SECRET = 16

/** Answers questions until the terminal says to stop. @throws InbondError `already-running` */
export function start(path: string, options: CommonOptions, terminal: Terminal): Promise<void> {
  return withNode(path, options, terminal, async (node, settings, computation, keeper) => {
    const release = claimDirectory(path)
    computation.begin()
    const log = openLog<NodeEvent>({ member: node.id }, levelOf, options.verbose ? 'debug' : 'info', terminal.err)
    try {
      await using operator = new Operator(log, settings.metrics, countEvents)
      const { tell } = operator
      if (settings.policy === 'open')
        tell({ msg: 'the policy is open: this node answers everything that the charter allows' })
      const { url } = settings.coordinator
      if (isReadable(url))
        tell({ msg: 'requests are not encrypted: whoever is on the way can read them', coordinator: url })
      await operator.serve(registry => measureState(registry, node, warehouseFile(path), keeper), node.db)
      keeper.onTrouble = trouble => tell(policyNews(trouble))
      await keeper.inForce()
      const ways = [logging(tell), ...(await waysOf(settings))]
      tell({ msg: 'started', coordinator: url })
      await Promise.all([
        work(node, withPlace(node, observer(tell), tell), terminal.signal),
        keepOffering(node, observer(tell).failed, terminal.signal),
        sayWhoIsAwaited(node, settings.coordinator, tell, terminal.signal),
        keepTelling({ desk: node, keeper, ways, failed: (way, error) => tell(untold(way, error)) }, terminal.signal),
      ])
      tell({ msg: 'stopped' })
    } finally {
      release()
    }
  })
}

/** Says it when a charter has left this member out, or has another key in the place of the one in force. */
function withPlace(node: Node, inner: Observer, tell: Tell): Observer {
  let { fingerprint } = node.key
  let said = placeOf(node)
  if (said === 'left' || said === 'replaced') tell({ msg: OUT[said] })
  return {
    ...inner,
    done: item => {
      inner.done(item)
      if (node.key.fingerprint !== fingerprint) {
        fingerprint = node.key.fingerprint
        tell({ msg: 'another key is in force', key: fingerprint })
      }
      const place = item.kind === 'charter' ? placeOf(node) : said
      if (place !== said && (place === 'left' || place === 'replaced')) tell({ msg: OUT[place] })
      said = place
    },
  }
}

const OUT = {
  left: 'the charter in force has left this member out: it answers nothing',
  replaced: 'the charter in force has another key in the place of this one: it answers nothing',
} as const

/** A line of the log, once a question. A policy that waits has one already. */
function logging(tell: Tell): Way {
  return {
    name: 'log',
    tell: async notice => {
      if (notice.event === 'policy') return
      const msg = notice.event === 'waits' ? 'a question waits for a steward' : 'deputies may decide as well'
      tell({ msg, round: notice.question })
    },
  }
}

/** The ways in which stewards are told beside the log. @throws InbondError `file-not-readable`, `bad-config` */
async function waysOf({ notify }: Config): Promise<Way[]> {
  const ways: Way[] = []
  if (notify?.webhook) {
    const secret = (await readTextFile(notify.webhook.secretFile)).trim()
    if (secret.length < SHORTEST_SECRET)
      throw fault('bad-config', 'the secret of the webhook has fewer than 16 characters')
    ways.push(webhook(notify.webhook.url, secret, systemClock))
  }
  if (notify?.mail) {
    const { from, to, passwordFile, server } = notify.mail
    const password = passwordFile === undefined ? undefined : (await readTextFile(passwordFile)).trim()
    ways.push(mail(from, to.join(', '), mailServer(server, password)))
  }
  return ways
}

/** Before a charter is in force that names this member there is nothing to answer: says what is awaited, whenever that changes. */
async function sayWhoIsAwaited(node: Node, to: Coordinates, tell: Tell, signal: AbortSignal): Promise<void> {
  let said = ''
  while (!signal.aborted && placeOf(node) === 'awaited') {
    const waits = await meetCoordinator(to)
      .then(heard => awaited(node, heard))
      .catch(error => `the coordinator: ${(error as Error).message}`)
    if (waits !== said) tell({ msg: 'waits', for: waits })
    said = waits
    await systemClock.wait(PENDING_CHECK_MS, signal)
  }
  if (said !== '' && !signal.aborted) tell({ msg: 'the charter is in force' })
}

async function awaited(node: Node, { proposed, inForce, publicKey }: FederationInfo): Promise<string> {
  const current = charterInForce(node)
  if (inForce !== null && messageId(inForce.charter) !== current?.id) return 'the charter in force to be verified'
  if (proposed === null) return 'a charter to be proposed'
  const { consents } = await standingOf(await verifyProposal(proposed.charter, publicKey), proposed, current)
  return isFulfilled(consents) ? 'the charter to be confirmed' : `${inWords(consents)} to sign the charter`
}
