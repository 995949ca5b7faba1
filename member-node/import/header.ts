import { InbondError } from '#crypto/error.ts'

/**
 * Where a column stands in a file.
 * @throws InbondError `column-not-found`, with the one that was probably meant; `bad-file` if two columns have the name
 */
export function columnIndex(header: readonly string[], name: string): number {
  const index = header.indexOf(name)
  if (index < 0) {
    const hint = closest(name, header)
    // The other names are not listed: in a file without a header line they are a record.
    const otherwise = `in its first line, of ${header.length} cells`
    throw new InbondError(
      'column-not-found',
      `the file has no column "${name}" ${hint === undefined ? otherwise : `(do you mean "${hint}"?)`}`,
    )
  }
  if (header.lastIndexOf(name) !== index) throw new InbondError('bad-file', `the file has two columns "${name}"`)
  return index
}

/** The most similar name, if it is similar at all. */
function closest(name: string, names: readonly string[]): string | undefined {
  const spell = (text: string) =>
    text
      .normalize('NFKD')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}]/gu, '')
  const scored = names.map(other => ({ other, distance: distance(spell(name), spell(other)) }))
  const best = scored.toSorted((a, b) => a.distance - b.distance)[0]
  return best && best.distance <= Math.max(2, spell(name).length / 3) ? best.other : undefined
}

/** Levenshtein: the fewest letters to insert, delete or change. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++) {
      const changed = (row[j] as number) + (letter === b[j] ? 0 : 1)
      next.push(Math.min(changed, (row[j + 1] as number) + 1, (next[j] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}
