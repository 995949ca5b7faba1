import fs from 'node:fs'
import { registerHooks } from 'node:module'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The product with a protection taken out of its text, which no file of the working tree has. */
export interface Edit {
  /** From the root of the tree. */
  readonly file: string
  /** Stands in the file once. */
  readonly find: string
  readonly replace: string
}

export const TREE = join(import.meta.dirname, '..')

export const edit = (file: string, find: string, replace = ''): Edit => ({ file, find, replace })

/** How often each text stands in its file that does not stand there once. */
export function misplaced(edits: readonly Edit[]): string[] {
  return edits
    .map(({ file, find }) => ({ file, find, times: fs.readFileSync(join(TREE, file), 'utf8').split(find).length - 1 }))
    .filter(({ times }) => times !== 1)
    .map(({ file, find, times }) => `${times} times in ${file}: ${find}`)
}

/**
 * What this process loads from now on is edited: modules, and migrations, which are read as files.
 * @param generation modules are loaded again whenever it is another one
 */
export function loadEdited(edits: () => readonly Edit[], generation = () => 0): void {
  const read = fs.readFileSync
  const edited = (path: string): string | undefined => {
    const of = edits().filter(one => join(TREE, one.file) === path)
    if (of.length === 0) return undefined
    return of.reduce((text, { find, replace }) => text.replace(find, () => replace), read(path, 'utf8'))
  }
  registerHooks({
    resolve(specifier, context, next) {
      const resolved = next(specifier, context)
      const path = resolved.url.startsWith('file:') ? fileURLToPath(resolved.url) : ''
      const own = path.startsWith(TREE + sep) && !path.includes(`${sep}node_modules${sep}`)
      return own && generation() > 0 ? { ...resolved, url: `${resolved.url}?${generation()}` } : resolved
    },
    load(url, context, next) {
      const source = url.startsWith('file:') ? edited(fileURLToPath(url)) : undefined
      return source === undefined ? next(url, context) : { format: 'module-typescript', source, shortCircuit: true }
    },
  })
  fs.readFileSync = ((path: unknown, options: never) =>
    (typeof path === 'string' && path.endsWith('.sql') && edited(path)) || read(path as string, options)) as typeof read
}
