/** How a file writes numbers. With `grouping`, digits may be grouped: by the other mark, a space or an apostrophe. */
export interface NumberFormat {
  readonly decimal: '.' | ','
  readonly grouping: boolean
}

export interface Units {
  /** A safe integer of 10^-decimals units; ±Infinity where the number is beyond 2^53, so that every bound catches it. */
  readonly units: number
  /** Digits other than 0 were dropped. */
  readonly rounded: boolean
}

/** Nobody weighs or pays 10^40; without a limit `1e999999999` would be written out. */
const LARGEST_EXPONENT = 40

/**
 * Reads decimal text as an integer of 10^-`decimals` units, rounded half to even. It is exact, because it moves the decimal
 * mark in the text and never computes with fractions. Undefined where the text is not a number in this format.
 */
export function decimalReader(format: NumberFormat, decimals: number): (text: string) => Units | undefined {
  const mark = format.decimal === '.' ? '\\.' : ','
  const plain = new RegExp(`^([+-]?)(?=${mark}?\\d)(\\d*)(?:${mark}(\\d*))?(?:[eE]([+-]?\\d{1,3}))?$`)
  const grouped = groupedNumber(format.decimal)

  return text => {
    let match = plain.exec(text)
    if (!match && format.grouping) {
      const [whole, separator] = grouped.exec(text) ?? []
      match = whole && separator ? plain.exec(whole.replaceAll(separator, '') + text.slice(whole.length)) : null
    }
    if (!match) return undefined
    const [, sign, whole = '', fraction = '', power = '0'] = match
    const exponent = Number(power)
    if (Math.abs(exponent) > LARGEST_EXPONENT) return undefined
    const { units, rounded } = wholeUnits(whole + fraction, whole.length + exponent + decimals)
    return { units: sign === '-' && units !== 0 ? -units : units, rounded }
  }
}

/** Groups of three digits, or of two as in 12,34,567; the same separator throughout, and three digits after the last. */
function groupedNumber(decimal: '.' | ','): RegExp {
  const [mark, separator] = decimal === '.' ? ['\\.', ','] : [',', '.']
  return new RegExp(`^[+-]?\\d{1,3}([${separator} '’\\u00a0\\u202f])(?:\\d{2,3}\\1)*\\d{3}(?=${mark}|[eE]|$)`)
}

/** The integer that the first `kept` of the digits write, rounded half to even by the rest. */
function wholeUnits(digits: string, kept: number): Units {
  const dropped = kept < 0 ? digits.padStart(digits.length - kept, '0') : digits.slice(kept)
  const units = Number(kept < 0 ? 0 : digits.slice(0, kept).padEnd(kept, '0'))
  // The text of an integer below 2^53 converts exactly, and that of a larger one to at least 2^53.
  if (!Number.isSafeInteger(units)) return { units: Number.POSITIVE_INFINITY, rounded: false }
  if (!/[1-9]/.test(dropped)) return { units, rounded: false }
  const half = '5'.padEnd(dropped.length, '0')
  const up = dropped > half || (dropped === half && units % 2 === 1)
  return { units: up ? units + 1 : units, rounded: true }
}
