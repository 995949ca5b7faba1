import type { Fetch } from '#party/connection.ts'
import type { Activities } from './activities.ts'

interface Sender {
  readonly answer: (response: Response) => void
  readonly fail: (error: Error) => void
  /** It waits no more. What would interrupt it, which may be for a minute to come, must not keep a whole federation in memory. */
  readonly release: () => void
}

/** A request on its way to the coordinator. Without `sender` nobody waits for the answer: it is a copy, or its sender died. */
export interface Message {
  readonly who: string
  readonly method: string
  /** Without its query: a long poll is answered at once, as by a proxy that lets nobody wait. */
  readonly url: string
  /** The version that a long poll knows. */
  readonly since: string | null
  readonly headers: NonNullable<RequestInit['headers']>
  readonly body: Uint8Array<ArrayBuffer> | undefined
  readonly sender?: Sender
}

export const pathOf = (message: Message) => new URL(message.url).pathname

/** What can happen to a message. */
export const faults = ['none', 'lost', 'reply-lost', 'reply-cut', 'cut', 'twice', 'copied'] as const
export type Fault = (typeof faults)[number]

/** Holds every request until the schedule lets it go. */
export class Network {
  inFlight: Message[] = []
  readonly #activities: Activities
  readonly #sent: (message: Message) => void
  readonly #arrive: (message: Message) => Promise<Response>

  /**
   * @param sent told of each request when its party lets go of it
   * @param arrive the coordinator's side
   */
  constructor(
    activities: Activities,
    sent: (message: Message) => void,
    arrive: (message: Message) => Promise<Response>,
  ) {
    this.#activities = activities
    this.#sent = sent
    this.#arrive = arrive
  }

  of(who: string): Fetch {
    return async (address, init) => {
      const url = new URL(address)
      const since = url.searchParams.get('since')
      url.search = ''
      const body = init?.body == null ? undefined : new Uint8Array(await new Response(init.body).arrayBuffer())
      const { method = 'GET', headers = {} } = init ?? {}
      return new Promise<Response>((answer, fail) => {
        const interrupted = () => this.#giveUp(message, init?.signal?.reason)
        const release = () => init?.signal?.removeEventListener('abort', interrupted)
        const message = { who, method, url: url.href, since, headers, body, sender: { answer, fail, release } }
        init?.signal?.addEventListener('abort', interrupted)
        this.#sent(message)
        this.inFlight.push(message)
        this.#activities.end()
      })
    }
  }

  /** The sender waits no more. Real time is none of the causes. */
  #giveUp(message: Message, reason: Error): void {
    if (!this.inFlight.includes(message) || reason.name === 'TimeoutError') return
    this.inFlight = this.inFlight.map(one => (one === message ? copyOf(message) : one))
    this.#activities.begin()
    message.sender?.fail(reason)
  }

  /** The party's process ends. What it sent may still arrive. */
  forget(who: string): void {
    for (const { sender } of this.inFlight.filter(message => message.who === who)) sender?.release()
    this.inFlight = this.inFlight.map(message => (message.who === who ? copyOf(message) : message))
  }

  /** Lets one message go its way, and waits until whoever it concerns has nothing more to do. */
  async deliver(message: Message, fault: Fault): Promise<void> {
    this.inFlight = this.inFlight.filter(one => one !== message)
    if (fault === 'copied') this.inFlight.push(copyOf(message))
    if (fault === 'lost') return this.#fail(message)
    const { body } = message
    if (fault === 'cut' && body && message.method === 'PUT') {
      await this.#arrive({ ...message, body: body.subarray(0, body.length >> 1) })
      return this.#fail(message)
    }
    const response = await this.#arrive(message)
    if (fault === 'twice') await this.#arrive(message)
    if (fault === 'reply-lost') return this.#fail(message)
    await this.#answer(message, fault === 'reply-cut' ? await cutShort(response) : response)
  }

  async #fail({ sender }: Message): Promise<void> {
    if (!sender) return
    sender.release()
    this.#activities.begin()
    sender.fail(new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ECONNRESET' }) }))
    await this.#activities.untilQuiet()
  }

  async #answer({ sender }: Message, response: Response): Promise<void> {
    if (!sender) return
    sender.release()
    this.#activities.begin()
    sender.answer(response)
    await this.#activities.untilQuiet()
  }
}

/** The same bytes, without anybody who waits for an answer. */
function copyOf({ sender: _, ...message }: Message): Message {
  return message
}

/** The connection breaks in the middle of the answer. */
async function cutShort(response: Response): Promise<Response> {
  const bytes = new Uint8Array(await response.arrayBuffer())
  const half = async function* () {
    yield bytes.subarray(0, bytes.length >> 1)
    throw new TypeError('terminated')
  }
  const { status, headers } = response
  return new Response(bytes.length === 0 ? null : ReadableStream.from(half()), { status, headers })
}
