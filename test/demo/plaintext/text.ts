const QUOTE = 34
const NEWLINE = 10
const RETURN = 13

/** The records of delimited text, blank lines left out. Quotes stand around a whole cell and are doubled within. */
export function* rowsOf(text: string, delimiter: string): Generator<string[]> {
  const separator = delimiter.charCodeAt(0)
  let cells: string[] = []
  let at = 0
  while (at < text.length) {
    if (text.charCodeAt(at) === QUOTE) {
      const end = closingQuote(text, at)
      cells.push(text.slice(at + 1, end).replaceAll('""', '"'))
      at = end + 1
    } else {
      const start = at
      let code = text.charCodeAt(at)
      while (at < text.length && code !== separator && code !== NEWLINE && code !== RETURN) code = text.charCodeAt(++at)
      cells.push(text.slice(start, at))
    }
    if (text.charCodeAt(at) === separator) {
      at++
      if (at < text.length && text.charCodeAt(at) !== NEWLINE && text.charCodeAt(at) !== RETURN) continue
      cells.push('')
    }
    if (text.charCodeAt(at) === RETURN) at++
    if (text.charCodeAt(at) === NEWLINE) at++
    if (cells.length > 1 || cells[0] !== '') yield cells
    cells = []
  }
}

function closingQuote(text: string, opening: number): number {
  let end = text.indexOf('"', opening + 1)
  while (end >= 0 && text.charCodeAt(end + 1) === QUOTE) end = text.indexOf('"', end + 2)
  if (end < 0) throw new Error('a quote is never closed')
  return end
}

/** How an administration writes numbers; `group` is what may stand between three digits, or nothing. */
export interface NumberStyle {
  readonly mark: '.' | ','
  readonly group: string
}

/** Decimal text as an integer of 10^-`decimals`, rounded half to even; undefined where it is no number. */
export function exactUnits(text: string, decimals: number, { mark, group }: NumberStyle): bigint | undefined {
  const number = group === '' ? text : text.replaceAll(group, '')
  const [, sign, whole = '', fraction = ''] = (mark === '.' ? WITH_POINT : WITH_COMMA).exec(number) ?? []
  if (sign === undefined) return undefined
  const beyond = fraction.length - decimals
  const units = beyond > 0 ? halfEven(BigInt(whole + fraction), beyond) : BigInt(whole + fraction.padEnd(decimals, '0'))
  return sign === '-' ? -units : units
}

const WITH_POINT = /^(-?)(\d+)(?:\.(\d+))?$/
const WITH_COMMA = /^(-?)(\d+)(?:,(\d+))?$/

/** `digits` ÷ 10^`dropped`, rounded half to even. */
function halfEven(digits: bigint, dropped: number): bigint {
  const divisor = 10n ** BigInt(dropped)
  const quotient = digits / divisor
  const doubled = (digits % divisor) * 2n
  const isUp = doubled > divisor || (doubled === divisor && quotient % 2n === 1n)
  return isUp ? quotient + 1n : quotient
}

/** The month (`2024-03`) of a date written as in `DD.MM.YYYY`; undefined where there is no such day. */
export function monthOf(text: string, written: string): string | undefined {
  if (text.length !== written.length) return undefined
  const part = (name: string) => {
    const start = written.indexOf(name)
    const digits = text.slice(start, start + name.length)
    return /^\d+$/.test(digits) ? Number(digits) : Number.NaN
  }
  const [year, month, day] = [part('YYYY'), part('MM'), part('DD')]
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
  if (days === undefined || !(day >= 1 && day <= days) || !(year > 0)) return undefined
  return `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}`
}
