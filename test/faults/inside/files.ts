import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { relative } from 'node:path'
import { limitedOpen, limitedWrite } from './disk.ts'
import { around, faults } from './trace.ts'

/** Files that become whole, or go, are points, named by their place in the party's directory. */

function placeOf(path: fs.PathLike): string {
  return relative(faults.directory, String(path)).replace(/[0-9a-f]{64}/g, '{id}')
}

function keeping<Result>(rename: (from: fs.PathLike, to: fs.PathLike) => Result) {
  return (from: fs.PathLike, to: fs.PathLike): Result => around([`keep ${placeOf(to)}`], () => rename(from, to))
}

function removing<Result>(remove: (path: fs.PathLike, options?: fs.RmOptions) => Result) {
  return (path: fs.PathLike, options?: fs.RmOptions): Result => {
    const place = placeOf(path)
    // What is not whole yet is not there for anybody.
    const isKept = /^(uploads|outbox)\//.test(place) && !place.endsWith('.part') && fs.existsSync(path)
    return around(isKept ? [`remove ${place}`] : [], () => remove(path, options))
  }
}

Object.assign(fs, {
  renameSync: keeping(fs.renameSync),
  rmSync: removing(fs.rmSync),
  writeSync: limitedWrite(fs.writeSync),
})
Object.assign(fs.promises, {
  rename: keeping(fs.promises.rename),
  rm: removing(fs.promises.rm),
  open: limitedOpen(fs.promises.open),
})
syncBuiltinESMExports()
