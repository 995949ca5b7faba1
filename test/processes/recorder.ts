import { createServer, type IncomingMessage, request } from 'node:http'

/** A proxy before a coordinator that notes what it is not supposed to be told apart by: tokens and bodies. */
export class Recorder implements AsyncDisposable {
  readonly tokens: { readonly method: string; readonly path: string; readonly token: string }[] = []
  readonly #server = createServer()

  /** @returns the address to be used in place of `url` */
  async listen(url: string): Promise<string> {
    this.#server.on('request', (incoming: IncomingMessage, outgoing) => {
      const { method = 'GET', url: path = '/', headers } = incoming
      const token = headers.authorization?.replace(/^Bearer /, '')
      if (token !== undefined) this.tokens.push({ method, path, token })
      const onward = request(`${url}${path}`, { method, headers }, answer => {
        outgoing.writeHead(answer.statusCode as number, answer.headers)
        answer.pipe(outgoing)
      })
      onward.on('error', () => outgoing.destroy())
      outgoing.on('close', () => onward.destroy())
      incoming.pipe(onward)
    })
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }
}
