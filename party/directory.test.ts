import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { generateIdentityKey, type IdentityKey, writeKeyFile } from '#crypto/signature.ts'
import {
  beginDirectory,
  changeKeys,
  checkUnused,
  completeDirectory,
  openDirectory,
  readConfig,
  readKeys,
  sealAnew,
} from './directory.ts'
import { claimDirectory, runningProcess } from './running.ts'

const schema = z.strictObject({ role: z.literal('member'), name: z.string().min(1) })
const CONFIG = { role: 'member', name: 'Customs' }

const ROOT = join(import.meta.dirname, '..')

let root: string
let path: string
let made = 0
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'inbond-directory-'))
})
afterAll(() => rmSync(root, { recursive: true }))
beforeEach(() => {
  path = join(root, `party-${made++}`)
})

const mode = (...parts: string[]) => statSync(join(path, ...parts)).mode & 0o777
const refused = (code: string) => expect.objectContaining({ code })

describe("a party's directory", () => {
  test('is for its owner alone, whatever the umask', async () => {
    const before = process.umask(0)
    try {
      await beginDirectory(path, undefined)
      await completeDirectory(path, CONFIG)
    } finally {
      process.umask(before)
    }
    expect([mode(), mode('keys'), mode('keys', 'identity'), mode('config.yaml')]).toEqual([0o700, 0o700, 0o600, 0o600])
  })

  test('gives back what was put into it', async () => {
    const key = await beginDirectory(path, undefined)
    await completeDirectory(path, CONFIG)
    expect(await openDirectory(path, schema, undefined)).toEqual({ path, config: CONFIG, key, keys: [key] })
  })

  test('keeps its key under a passphrase', async () => {
    const key = await beginDirectory(path, 'secret')
    await completeDirectory(path, CONFIG)
    expect(readFileSync(join(path, 'keys', 'identity'), 'utf8')).not.toContain(key.privateKey)
    expect((await openDirectory(path, schema, 'secret')).key).toEqual(key)
    await expect(openDirectory(path, schema, undefined)).rejects.toEqual(refused('wrong-passphrase'))
    await expect(openDirectory(path, schema, 'Secret')).rejects.toEqual(refused('wrong-passphrase'))
  })

  test('is begun again with the same key, and not once it is complete', async () => {
    const key = await beginDirectory(path, undefined)
    expect(await beginDirectory(path, undefined)).toEqual(key)
    await checkUnused(path)
    await completeDirectory(path, CONFIG)
    await expect(beginDirectory(path, undefined)).rejects.toEqual(refused('already-initialised'))
    await expect(checkUnused(path)).rejects.toEqual(refused('already-initialised'))
  })

  test.each([
    ['not there', undefined, 'not-initialised'],
    ['not YAML', 'a: [', 'bad-config'],
    ['empty', '', 'bad-config'],
    ['incomplete', 'role: member\n', 'bad-config'],
    ['more than it should be', 'role: member\nname: A\nextra: 1\n', 'bad-config'],
    ["another party's", 'role: coordinator\nname: A\n', 'not-allowed'],
  ])('whose configuration is %s is refused', async (_, text, code) => {
    await beginDirectory(path, undefined)
    if (text !== undefined) writeFileSync(join(path, 'config.yaml'), text)
    await expect(readConfig(path, schema)).rejects.toEqual(refused(code))
  })

  test('without its key is refused', async () => {
    await beginDirectory(path, undefined)
    await completeDirectory(path, CONFIG)
    rmSync(join(path, 'keys', 'identity'))
    await expect(openDirectory(path, schema, undefined)).rejects.toEqual(refused('not-initialised'))
  })

  test.each(['config.yaml', join('keys', 'identity')])('whose %s cannot be read is not said to be none', async file => {
    await beginDirectory(path, undefined)
    await completeDirectory(path, CONFIG)
    rmSync(join(path, file))
    mkdirSync(join(path, file))
    await expect(openDirectory(path, schema, undefined)).rejects.toMatchObject({
      code: 'file-not-readable',
      message: `${join(path, file)} cannot be read: it is a directory`,
    })
  })

  test.skipIf(!existsSync('/proc/self'))('is not made where the operating system makes none', async () => {
    await expect(beginDirectory('/proc/inbond/kr', undefined)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('is not below a file', async () => {
    writeFileSync(path, '')
    await expect(readConfig(path, schema)).rejects.toEqual(refused('not-initialised'))
  })
})

describe('a file of several identity keys', () => {
  const file = () => join(path, 'keys', 'identity')
  const add = (key: IdentityKey, passphrase?: string) => changeKeys(path, passphrase, stored => [...stored, key])

  test.each([undefined, 'secret'])(
    'has them in their order, sealed with the passphrase of the first: %s',
    async passphrase => {
      const first = await beginDirectory(path, passphrase)
      await completeDirectory(path, CONFIG)
      const second = await generateIdentityKey()
      const before = readFileSync(file(), 'utf8')
      // A passphrase that is not needed seals nothing.
      await add(second, passphrase ?? 'one too many')
      expect(readFileSync(file(), 'utf8').startsWith(before)).toBe(true)
      expect(readFileSync(file(), 'utf8').includes(second.privateKey)).toBe(passphrase === undefined)
      expect(await openDirectory(path, schema, passphrase)).toMatchObject({ key: first, keys: [first, second] })
      expect(await sealAnew(path, schema, passphrase, 'another')).toEqual([first, second])
      expect(await readKeys(path, 'another')).toEqual([first, second])
      await expect(readKeys(path, passphrase)).rejects.toEqual(refused('wrong-passphrase'))
    },
  )

  test('loses one for good: what was there is overwritten', async () => {
    const first = await beginDirectory(path, undefined)
    const second = await generateIdentityKey()
    await add(second)
    const earlier = openSync(file(), 'r')
    expect(await changeKeys(path, undefined, ([, one]) => [one as IdentityKey])).toEqual([second])
    const text = readFileSync(earlier, 'utf8')
    closeSync(earlier)
    expect([text.includes(first.privateKey), text.replaceAll('\0', '')]).toEqual([false, ''])
    expect(await readKeys(path, undefined)).toEqual([second])
    expect(readdirSync(join(path, 'keys'))).toEqual(['identity'])
  })

  test('is changed from what another process made of it meanwhile', async () => {
    const first = await beginDirectory(path, undefined)
    const [second, third] = [await generateIdentityKey(), await generateIdentityKey()]
    const line = await writeKeyFile(second, undefined)
    let isFirst = true
    const keys = await changeKeys(path, undefined, stored => {
      if (isFirst) appendFileSync(file(), line)
      isFirst = false
      return [...stored, third]
    })
    expect(keys).toEqual([first, second, third])
    expect(await readKeys(path, undefined)).toEqual(keys)
    expect(await changeKeys(path, undefined, stored => stored)).toEqual(keys)
  })

  test('with something else in it is none', async () => {
    await beginDirectory(path, undefined)
    appendFileSync(file(), '{}\n')
    await expect(readKeys(path, undefined)).rejects.toEqual(refused('bad-key-file'))
  })
})

describe('the claim of a running process', () => {
  beforeEach(() => beginDirectory(path, undefined).then(() => undefined))

  test('is there until it is given up', () => {
    expect(runningProcess(path)).toBeUndefined()
    const giveUp = claimDirectory(path)
    expect(runningProcess(path)).toBe(process.pid)
    expect(() => claimDirectory(path)).toThrow(refused('already-running'))
    giveUp()
    expect(runningProcess(path)).toBeUndefined()
    claimDirectory(path)()
  })

  test('of a process that was killed counts no more, whatever it left behind', () => {
    const source = `import { claimDirectory } from '#party/running.ts'; claimDirectory(${JSON.stringify(path)}); process.kill(process.pid, 'SIGKILL')`
    const { signal } = spawnSync(process.execPath, ['--input-type=module', '--eval', source], { cwd: ROOT })
    expect(signal).toBe('SIGKILL')
    expect(existsSync(join(path, 'running'))).toBe(true)
    expect(runningProcess(path)).toBeUndefined()
    claimDirectory(path)()
  })
})
