import { createServer, connect as dial, type Server, type Socket } from 'node:net'

/** What a proxy does to a connection: it may change what passes; where it lets less through, it cuts the connection. */
export interface Interference {
  /** Bytes on their way to the coordinator. */
  readonly up?: (bytes: Buffer) => Buffer
  /** Bytes on their way back. */
  readonly down?: (bytes: Buffer) => Buffer
}

/** A TCP proxy in front of the coordinator, which interferes with each connection as it is told. */
export class Interceptor {
  /** For each new connection. */
  interfere: () => Interference = () => ({})
  readonly #server: Server
  readonly #open = new Set<Socket>()

  private constructor(target: number) {
    this.#server = createServer(client => {
      const { up = pass, down = pass } = this.interfere()
      const server = dial(target, '127.0.0.1')
      for (const socket of [client, server]) {
        this.#open.add(socket)
        socket.on('error', () => undefined)
        socket.on('close', () => {
          this.#open.delete(socket)
          client.destroy()
          server.destroy()
        })
      }
      join(client, server, up)
      join(server, client, down)
    })
  }

  static async before(url: string): Promise<Interceptor> {
    const proxy = new Interceptor(Number(new URL(url).port))
    await new Promise<void>(resolve => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`
  }

  [Symbol.dispose](): void {
    this.#server.close()
    for (const socket of this.#open) socket.destroy()
  }
}

function pass(bytes: Buffer): Buffer {
  return bytes
}

function join(from: Socket, to: Socket, through: (bytes: Buffer) => Buffer): void {
  from.on('data', bytes => {
    const passed = through(bytes)
    if (passed.length < bytes.length) to.write(passed, () => from.destroy())
    else if (!to.write(passed)) from.pause()
  })
  to.on('drain', () => from.resume())
}

/** Cuts a connection after so many bytes of one direction. */
export function cutAfter(bytes: number): (chunk: Buffer) => Buffer {
  let left = bytes
  return chunk => {
    const passed = chunk.subarray(0, Math.max(0, left))
    left -= chunk.length
    return passed
  }
}
