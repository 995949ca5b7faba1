import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { statSync } from 'node:fs'
import { isIP } from 'node:net'
import type { Clock } from '#party/clock.ts'
import { readTextFile } from '#party/command.ts'
import { fault } from '#specs/errors.ts'
import type { Config } from './config.ts'

/** A certificate with those that lead to its authority, and its private key, in PEM. */
export interface Pair {
  readonly cert: string
  readonly key: string
}

/** The files from which a coordinator has its certificate. Whoever renews it replaces them while the coordinator runs. */
export class CertificateFiles {
  readonly #files: NonNullable<Config['tls']>
  readonly #host: string
  readonly #clock: Clock
  #seen: string | undefined

  /** @param url where members reach the coordinator: the certificate must be for its host */
  constructor(files: NonNullable<Config['tls']>, url: string, clock: Clock) {
    this.#files = files
    this.#host = new URL(url).hostname.replace(/^\[(.*)\]$/, '$1')
    this.#clock = clock
  }

  /** @throws InbondError `file-not-readable`, `bad-tls-certificate` */
  async read(): Promise<Pair> {
    this.#seen = this.#version()
    const { certificate, key } = this.#files
    const pair = { cert: await readTextFile(certificate), key: await readTextFile(key) }
    this.#check(pair)
    return pair
  }

  /** The pair, if the files were replaced since they were read last. @throws like `read`, once for each replacement */
  async readIfReplaced(): Promise<Pair | undefined> {
    return this.#version() === this.#seen ? undefined : this.read()
  }

  #version(): string {
    const { certificate, key } = this.#files
    return [certificate, key]
      .map(file => statSync(file, { throwIfNoEntry: false }))
      .map(found => `${found?.ino} ${found?.size} ${found?.mtimeMs}`)
      .join()
  }

  #check({ cert, key }: Pair): void {
    const { certificate, key: keyFile } = this.#files
    const wrong = (reason: string, cause?: unknown) => fault('bad-tls-certificate', reason, cause)
    const parsed = parse(() => new X509Certificate(cert))
    if (parsed === undefined) throw wrong(`${certificate} is no certificate in PEM`)
    const privateKey = parse<KeyObject>(() => createPrivateKey(key))
    if (privateKey === undefined) throw wrong(`${keyFile} is no private key in PEM, or it has a passphrase`)
    if (!parsed.checkPrivateKey(privateKey)) throw wrong(`the key in ${keyFile} is not that of ${certificate}`)
    const now = this.#clock.now()
    if (parsed.validToDate.getTime() < now) throw wrong(`${certificate} has expired (${parsed.validTo})`)
    if (parsed.validFromDate.getTime() > now) throw wrong(`${certificate} is not valid yet (${parsed.validFrom})`)
    const named = isIP(this.#host) === 0 ? parsed.checkHost(this.#host) : parsed.checkIP(this.#host)
    if (named === undefined) throw wrong(`${certificate} is not for ${this.#host}, where members reach the coordinator`)
  }
}

/** What OpenSSL says about a key that it cannot read is for nobody's log. */
function parse<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
