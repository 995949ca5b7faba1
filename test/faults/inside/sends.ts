import { ServerResponse } from 'node:http'
import { around, faults, reach } from './trace.ts'

/** Requests and answers are points, named by the operation of the coordinator's interface. */

const templates = faults.names.paths.map(path => ({
  path,
  // The index of a tile has slashes in it.
  pattern: new RegExp(`^${path.replace('{index}', '.+').replace(/\{\w+\}/g, '[^/]+')}$`),
}))

function templateOf(url: string): string | undefined {
  const { pathname } = new URL(url, 'http://coordinator')
  return templates.find(one => one.pattern.test(pathname))?.path
}

const { fetch } = globalThis
globalThis.fetch = (input, init) =>
  around([`send ${init?.method ?? 'GET'} ${templateOf(String(input)) ?? input}`], () => fetch(input, init))

const { writeHead } = ServerResponse.prototype
ServerResponse.prototype.writeHead = function (this: ServerResponse, ...args: unknown[]) {
  const path = templateOf(this.req.url as string)
  // An operator's look at /readyz is no business of the parties.
  const what = path === undefined ? [] : [`answer ${this.req.method} ${path}`]
  reach('before', what)
  this.once('finish', () => reach('after', what))
  return (writeHead as (...args: unknown[]) => ServerResponse).apply(this, args)
} as typeof writeHead
