import { InbondError } from '#crypto/error.ts'
import type { NumberFormat } from './rounding.ts'

/**
 * Finds out the decimal mark from the numeric cells at the top of a file. `1.234,56`, `1.234.567` and `12,5` say which it is;
 * `1,234` alone does not, and a factor of a thousand is at stake. `1.234` alone is taken as the usual point, but not beside
 * semicolons, with which a decimal comma is to be expected.
 * @throws InbondError `ambiguous-decimal`
 */
export function findNumberFormat(cells: Iterable<string>, delimiter: string): NumberFormat {
  const seen = new Set<Sign>()
  for (const cell of cells) {
    const sign = signOf(cell.trim())
    if (sign) seen.add(sign)
  }
  if (seen.has('point') && seen.has('comma')) {
    throw new InbondError(
      'ambiguous-decimal',
      'the file writes numbers with a decimal point and numbers with a decimal comma',
    )
  }
  if (seen.has('point')) return { decimal: '.', grouping: true }
  if (seen.has('comma')) return { decimal: ',', grouping: true }
  if (seen.has('doubtfulComma') || (delimiter === ';' && seen.has('doubtfulPoint'))) {
    const example = seen.has('doubtfulComma') ? '1,234' : '1.234'
    throw new InbondError('ambiguous-decimal', `numbers like ${example} could be thousands, or have three decimals`)
  }
  // Nothing was seen, so a grouped number further down would be a guess: it is rejected.
  return { decimal: '.', grouping: false }
}

type Sign = 'point' | 'comma' | 'doubtfulPoint' | 'doubtfulComma'

/** What one number says about the decimal mark, or undefined if nothing. */
function signOf(cell: string): Sign | undefined {
  const number = /^[+-]?([\d.,]+)(?:[eE][+-]?\d+)?$/.exec(cell.replaceAll(/[ '’\u00a0\u202f]/g, ''))?.[1]
  const marks = number?.replaceAll(/\d/g, '')
  if (number === undefined || !marks) return undefined
  const last = marks.at(-1)
  if (marks.length > 1) {
    const grouping = marks.slice(0, -1)
    if (/^(\.+|,+)$/.test(marks)) return last === '.' ? 'comma' : 'point'
    if (grouping.includes(last as string)) return undefined
    return last === '.' ? 'point' : 'comma'
  }
  const couldBeThousands = /^[1-9]\d{0,2}[.,]\d{3}$/.test(number)
  if (last === '.') return couldBeThousands ? 'doubtfulPoint' : 'point'
  return couldBeThousands ? 'doubtfulComma' : 'comma'
}
