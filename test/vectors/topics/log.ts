import { createPrivateKey, sign } from 'node:crypto'
import { noteKeyId } from '#crypto/checkpoint.ts'
import type { Fields } from '../format.ts'
import { entryOf } from '../layers.ts'
import type { Writing } from '../writing.ts'

export const description = "The coordinator's log: heads, proofs, checkpoints, tiles and entries."

/** RFC 8037, appendix A. */
const KEY = {
  privateKey: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
  publicKey: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
}
const ORIGIN = 'inbond/kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k'
const OTHER = '_0s4V6-6upVCinL47JRb5fFX3YzvaqPUFA2TkNboBBQ'
const NOTHING = '0'.repeat(64)

const entry = (i: number): Fields => ({ utf8: `${entryOf(i).typ} ${entryOf(i).message}` })

export async function write(file: Writing): Promise<void> {
  const heads = new Map<number, { size: number; root: string }>()
  for (const entries of [0, 1, 2, 3, 4, 5, 6, 7, 8, 100, 255, 256, 257, 600]) {
    const head = await file.takes('log-head', `of ${entries} entries`, { entries })
    heads.set(entries, head as unknown as { size: number; root: string })
  }
  const headAt = (size: number) => heads.get(size) as { size: number; root: string }
  await writeInclusion(file, headAt)
  await writeConsistency(file, headAt)
  await writeCheckpoints(file, headAt(600))
  await writeTiles(file)
}

type HeadAt = (size: number) => { readonly size: number; readonly root: string }

async function writeInclusion(file: Writing, headAt: HeadAt): Promise<void> {
  for (const [index, size] of [
    [0, 1],
    [0, 2],
    [2, 3],
    [4, 5],
    [5, 7],
    [99, 100],
    [300, 600],
  ] as const) {
    const name = `entry ${index} of ${size}`
    const { hashes } = (await file.takes('inclusion-proof', `of ${name}`, { entries: size, index })) as {
      hashes: string[]
    }
    const { root } = headAt(size)
    await file.takes('verify-inclusion', name, { entry: entry(index), index, hashes, size, root })
    file.refuses(name, [
      ['bad-proof', 'another entry', { entry: entry(index + 1) }],
      ['bad-proof', 'another index', { index: index === 0 ? size : index - 1 }],
      ['bad-proof', 'another root', { root: NOTHING }],
      ['bad-proof', 'a hash more', { hashes: [...hashes, NOTHING] }],
      ...hashes.map((_, i) => ['bad-proof', `hash ${i} changed`, { hashes: hashes.with(i, NOTHING) }] as const),
      ...(hashes.length === 0 ? [] : ([['bad-proof', 'a hash less', { hashes: hashes.slice(1) }]] as const)),
      ['bad-proof', 'the index after the last', { index: size + 1 }],
      ['bad-proof', 'an empty log', { size: 0 }],
    ])
  }
}

async function writeConsistency(file: Writing, headAt: HeadAt): Promise<void> {
  for (const [first, second] of [
    [0, 5],
    [1, 2],
    [3, 7],
    [4, 8],
    [5, 5],
    [6, 8],
    [100, 600],
    [256, 600],
    [257, 600],
  ] as const) {
    const name = `${first} entries are the beginning of ${second}`
    const input = { entries: second, earlier: first }
    const { hashes } = (await file.takes('consistency-proof', `that ${name}`, input)) as { hashes: string[] }
    const earlier = { ...headAt(first) }
    const later = { ...headAt(second) }
    await file.takes('verify-consistency', name, { earlier, later, hashes })
    file.refuses(name, [
      ['bad-proof', 'another root of the earlier', { earlier: { ...earlier, root: NOTHING } }],
      ...(first === 0
        ? []
        : ([['bad-proof', 'another root of the later', { later: { ...later, root: NOTHING } }]] as const)),
      ['bad-proof', 'a hash more', { hashes: [...hashes, NOTHING] }],
      ...hashes.map((_, i) => ['bad-proof', `hash ${i} changed`, { hashes: hashes.with(i, NOTHING) }] as const),
      ...(hashes.length === 0 ? [] : ([['bad-proof', 'a hash less', { hashes: hashes.slice(1) }]] as const)),
      ['bad-proof', 'an earlier log that is longer', { earlier: { ...earlier, size: second + 1 } }],
    ])
  }
}

/** Any note that the coordinator might sign. */
function signedNote(body: string, name = ORIGIN): string {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: KEY.publicKey, d: KEY.privateKey }
  const signature = sign(null, Buffer.from(body), createPrivateKey({ key: jwk, format: 'jwk' }))
  return `${body}\n\u2014 ${name} ${Buffer.concat([noteKeyId(name, KEY.publicKey), signature]).toString('base64')}\n`
}

async function writeCheckpoints(file: Writing, head: { readonly size: number; readonly root: string }): Promise<void> {
  const output = await file.takes('sign-checkpoint', 'the head of 600 entries', { ...KEY, ...head })
  const { checkpoint } = output as { checkpoint: string }
  const { publicKey } = KEY
  const name = 'a checkpoint of 600 entries'
  await file.takes('verify-checkpoint', name, { publicKey, checkpoint })
  const root = Buffer.from(head.root, 'hex').toString('base64')
  const largest = signedNote(`${ORIGIN}\n9007199254740991\n${root}\n`)
  await file.takes('verify-checkpoint', 'a checkpoint of the largest log', { publicKey, checkpoint: largest })
  const signature = (checkpoint.split('\n')[4] as string).split(' ')[2] as string
  const refused = (what: string, changed: string) => ['bad-checkpoint', what, { checkpoint: changed }] as const
  file.refuses(name, [
    ['bad-checkpoint', 'of another coordinator', { publicKey: OTHER }],
    refused('another size', checkpoint.replace('\n600\n', '\n601\n')),
    refused('another root', checkpoint.replace(root, `${'A'.repeat(43)}=`)),
    refused('another origin, signed', signedNote(`inbond/${OTHER}\n600\n${root}\n`)),
    refused('another name of the key', signedNote(`${ORIGIN}\n600\n${root}\n`, `inbond/${OTHER}`)),
    refused('an extension line, signed', signedNote(`${ORIGIN}\n600\n${root}\nmore\n`)),
    refused('a zero before the size, signed', signedNote(`${ORIGIN}\n0600\n${root}\n`)),
    refused('a sign before the size, signed', signedNote(`${ORIGIN}\n+600\n${root}\n`)),
    refused('a size past whole numbers, signed', signedNote(`${ORIGIN}\n9007199254740992\n${root}\n`)),
    refused('a root without its padding, signed', signedNote(`${ORIGIN}\n600\n${root.slice(0, -1)}\n`)),
    refused('a root with idle bits, signed', signedNote(`${ORIGIN}\n600\n${`${'A'.repeat(42)}B=`}\n`)),
    refused('a short root, signed', signedNote(`${ORIGIN}\n600\n${'A'.repeat(40)}\n`)),
    refused('carriage returns, signed', signedNote(`${ORIGIN}\r\n600\r\n${root}\r\n`)),
    refused('two signatures', `${checkpoint}\u2014 ${ORIGIN} ${signature}\n`),
    refused('no signature', `${ORIGIN}\n600\n${root}\n\n`),
    refused('another key id', checkpoint.replace(signature, `AAAA${signature.slice(4)}`)),
    refused(
      'a signature with idle bits',
      checkpoint.replace(/(.)=\n$/, (_, last) => `${next(last)}=\n`),
    ),
    refused('a hyphen instead of the dash', checkpoint.replace('\u2014', '-')),
    refused('no line feed at the end', checkpoint.slice(0, -1)),
    refused('something after its end', `${checkpoint}\n`),
  ])
}

/** The character of base64 that follows one. */
function next(character: string): string {
  const all = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  return all[all.indexOf(character) + 1] as string
}

async function writeTiles(file: Writing): Promise<void> {
  for (const path of ['0/000', '0/002.p/88', '0/001.p/3', '1/000.p/2', 'entries/002.p/88', 'entries/000.p/1']) {
    await file.takes('tile', path, { entries: 600, path })
  }
  file.refuses('0/000', [
    ...['0/002', '0/003.p/1', '0/002.p/89', '1/000', '1/000.p/3', '2/000.p/1', '0/x001/000'].map(
      path => ['not-found', `past the end: ${path}`, { path }] as const,
    ),
    ...[
      '0/0',
      '0/0000',
      '0/x000/000',
      '00/000',
      '64/000',
      '0/000.p/0',
      '0/000.p/256',
      '0/000.p/01',
      '0/000/',
      '0/000.p/1/',
    ].map(path => ['not-found', `written otherwise: ${path}`, { path }] as const),
  ])
  const { bytes } = (await file.takes('tile', 'two entries', { entries: 600, path: 'entries/000.p/2' })) as {
    bytes: Uint8Array
  }
  const bundle = file.bytes('a bundle of two entries', bytes)
  await file.takes('read-entries', 'a bundle of two', { bundle, width: 2 })
  const length = bytes.length / 2
  file.refuses('a bundle of two', [
    ['bad-body', 'of one', { width: 1 }],
    ['bad-body', 'of three', { width: 3 }],
    ['bad-body', 'a byte less', { bundle: { part: bundle, start: 0, end: bytes.length - 1 } }],
    ['bad-body', 'a byte more', { bundle: { join: [bundle, { repeat: 0, length: 1 }] } }],
    ['bad-body', 'a length that is too large', { bundle: { in: bundle, at: length, put: { repeat: 1, length: 1 } } }],
    ['bad-body', 'a capital digit', { bundle: { in: bundle, at: length - 1, put: { utf8: 'A' } } }],
    ['bad-body', 'two spaces', { bundle: { in: bundle, at: 2 + 'inbond-manifest'.length - 1, put: { utf8: ' ' } } }],
    ['bad-body', 'no entries', { bundle: { repeat: 0, length: 0 } }],
  ])
}
