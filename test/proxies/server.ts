import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../processes/federation.ts'

/** A foreign program that serves from a configuration of ours, in a folder of its own. */
export class Server {
  readonly folder: string
  readonly #child: ChildProcess
  #said = ''

  private constructor(folder: string, program: string, args: readonly string[]) {
    this.folder = folder
    this.#child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', text => {
        this.#said += text
      })
    }
  }

  /** Starts it and waits until it listens on every one of `ports`. */
  static async start(
    folder: string,
    program: string,
    args: readonly string[],
    ports: readonly number[],
  ): Promise<Server> {
    const server = new Server(folder, program, args)
    for (const port of ports) {
      await until(
        () => {
          if (server.#child.exitCode !== null) throw new Error(`${program} ended:\n${server.#said}`)
          return accepts(port)
        },
        () => `${program}; it said:\n${server.#said}`,
      )
    }
    return server
  }

  /** One of its files. */
  read(name: string): string {
    return readFileSync(join(this.folder, name), 'utf8')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise(resolve => this.#child.on('close', resolve))
    if (this.#child.exitCode === null) this.#child.kill('SIGTERM')
    else return
    const killing = setTimeout(() => this.#child.kill('SIGKILL'), 5_000)
    await ended
    clearTimeout(killing)
  }
}

/** A folder that a server may use that gives up being root. */
export function openFolder(name: string): { path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), `inbond-${name}-`))
  chmodSync(path, 0o777)
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}

/** @throws Error that says what to install */
export function requireProgram(program: string, debianPackage: string): string {
  const { error, stdout, stderr } = spawnSync(program, ['-v'], { encoding: 'utf8' })
  if (error) throw new Error(`${program} is not installed; these tests need it: apt-get install ${debianPackage}`)
  return stdout + stderr
}

/** Starts nginx with the `server` blocks given. */
export function startNginx(folder: string, servers: string, ports: readonly number[]): Promise<Server> {
  requireProgram('/usr/sbin/nginx', 'nginx')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    one => `${one}_temp_path ${folder}/${one};`,
  )
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  const file = join(folder, 'nginx.conf')
  writeFileSync(
    file,
    `${user} daemon off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events {}
http {
  ${temporary.join('\n  ')}
  log_format timed '$request_method $request_uri $status $request_length $request_time';
  access_log ${folder}/nginx.log timed;
  ${servers}
}
`,
  )
  return Server.start(folder, '/usr/sbin/nginx', ['-c', file, '-p', folder, '-e', join(folder, 'error.log')], ports)
}

/** Starts squid with these lines beside what any instance needs. */
export function startSquid(folder: string, port: number, listening: string, lines: string): Promise<Server> {
  mkdirSync(join(folder, 'core'), { recursive: true })
  const file = join(folder, 'squid.conf')
  writeFileSync(
    file,
    `http_port 127.0.0.1:${port} ${listening}
${lines}
cache deny all
pid_filename ${folder}/squid.pid
access_log stdio:${folder}/access.log
cache_log ${folder}/cache.log
coredump_dir ${folder}/core
shutdown_lifetime 1 second
`,
  )
  chmodSync(join(folder, 'core'), 0o777)
  return Server.start(folder, '/usr/sbin/squid', ['-N', '-f', file], [port])
}
