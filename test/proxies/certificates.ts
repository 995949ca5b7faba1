import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Certificate {
  /** Files in PEM. */
  readonly certificate: string
  readonly key: string
}

/** A certificate authority of its own, as an organisation has one. */
export class Authority implements Certificate {
  readonly certificate: string
  readonly key: string
  readonly #folder: string

  constructor(folder: string, name: string) {
    this.#folder = folder
    this.certificate = join(folder, `${name}.crt`)
    this.key = join(folder, `${name}.key`)
    openssl('req', '-x509', ...newKey(this.key), '-subj', `/CN=${name}`, '-days', '2', '-out', this.certificate)
  }

  /** A server's certificate for some host names. */
  issue(...hosts: [string, ...string[]]): Certificate {
    const file = (kind: string) => join(this.#folder, `${hosts[0]}.${kind}`)
    writeFileSync(file('names'), `subjectAltName=${hosts.map(host => `DNS:${host}`).join()}\n`)
    openssl('req', '-new', ...newKey(file('key')), '-subj', `/CN=${hosts[0]}`, '-out', file('csr'))
    const signer = ['-CA', this.certificate, '-CAkey', this.key, '-CAcreateserial', '-days', '2']
    openssl('x509', '-req', '-in', file('csr'), ...signer, '-extfile', file('names'), '-out', file('crt'))
    return { certificate: file('crt'), key: file('key') }
  }
}

function newKey(file: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file]
}

function openssl(...args: string[]): void {
  const { error, status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' })
  if (error) throw new Error('openssl is not installed; these tests need it: apt-get install openssl')
  if (status !== 0) throw new Error(`openssl ${args.join(' ')}:\n${stderr}`)
}
