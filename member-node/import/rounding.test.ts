import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decimalReader } from './rounding.ts'

const read = decimalReader({ decimal: '.', grouping: true }, 2)

/** Half to even by integer arithmetic alone: `digits` × 10^`exponent` in units of 10^-`decimals`. */
function reference(digits: bigint, exponent: number, decimals: number): bigint {
  const shift = exponent + decimals
  if (shift >= 0) return digits * 10n ** BigInt(shift)
  const divisor = 10n ** BigInt(-shift)
  const [quotient, remainder] = [digits / divisor, digits % divisor]
  const twice = 2n * (remainder < 0n ? -remainder : remainder)
  const up = twice > divisor || (twice === divisor && quotient % 2n !== 0n)
  return quotient + (up ? (digits < 0n ? -1n : 1n) : 0n)
}

describe('decimal text to smallest units', () => {
  test('agrees with integer arithmetic', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }),
        fc.nat(20),
        fc.nat(4),
        fc.integer({ min: -12, max: 12 }),
        (digits, fractionDigits, decimals, exponent) => {
          const absolute = `${digits < 0n ? -digits : digits}`.padStart(fractionDigits + 1, '0')
          const at = absolute.length - fractionDigits
          const text = `${digits < 0n ? '-' : ''}${absolute.slice(0, at)}.${absolute.slice(at)}e${exponent}`
          const expected = reference(digits, exponent - fractionDigits, decimals)
          const units = decimalReader({ decimal: '.', grouping: false }, decimals)(text)?.units
          const isSafe = expected <= Number.MAX_SAFE_INTEGER && expected >= -Number.MAX_SAFE_INTEGER
          if (isSafe) expect(BigInt(units as number)).toBe(expected)
          else expect(Math.abs(units as number)).toBeGreaterThanOrEqual(Number.MAX_SAFE_INTEGER)
        },
      ),
      { numRuns: 2000 },
    )
  })

  test.each([
    ['0.005', 0, true],
    ['0.015', 2, true],
    ['0.025', 2, true],
    ['-0.015', -2, true],
    ['0.0250000001', 3, true],
    ['241.58000000000004', 24158, true],
    ['1.10', 110, false],
    ['1.100', 110, false],
    ['-5', -500, false],
    ['+5', 500, false],
    ['.5', 50, false],
    ['5.', 500, false],
    ['1e3', 100_000, false],
    ['1.5E-2', 2, true],
    ['0.004e-9', 0, true],
    ['-0', 0, false],
    ['1,234.5', 123_450, false],
    ['12,34,567', 123_456_700, false],
    ["1'234'567.89", 123_456_789, false],
    ['1\u202f234', 123_400, false],
    ['90071992547409.91', Number.MAX_SAFE_INTEGER, false],
    ['90071992547409.92', Number.POSITIVE_INFINITY, false],
    ['-99999999999999999', Number.NEGATIVE_INFINITY, false],
  ])('%s', (text, units, rounded) => expect(read(text)).toEqual({ units, rounded }))

  test.each([
    '',
    '.',
    '-',
    'abc',
    '1.2.3',
    '1,23',
    '1,2345',
    '12,345,67',
    "1,234'567",
    '1,234.5,6',
    '1,234.567,890',
    "1'234.5'",
    '1,234e1,0',
    '1e',
    'e5',
    '1e999',
    '0x10',
    '١٢',
    'NaN',
    '1 2',
  ])('%j is no number', text => expect(read(text)).toBeUndefined())

  test('a decimal comma', () => {
    const comma = decimalReader({ decimal: ',', grouping: true }, 2)
    expect(comma('1.234,56')?.units).toBe(123_456)
    expect(comma('1,5')?.units).toBe(150)
    expect(comma('1.5')).toBeUndefined()
  })

  test('without grouping a separator is refused, not guessed', () => {
    expect(decimalReader({ decimal: '.', grouping: false }, 2)('1,234')).toBeUndefined()
  })
})
