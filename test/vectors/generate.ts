import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { files } from './files.ts'

/** Writes specs/vectors/*.json: `npm run vectors`. The same bytes every time. */

const FOLDER = join(import.meta.dirname, '../../specs/vectors')

for await (const { name, text } of files()) {
  writeFileSync(join(FOLDER, name), text)
  process.stdout.write(`${name}: ${text.length} bytes\n`)
}
