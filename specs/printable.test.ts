import fc from 'fast-check'
import { expect, test } from 'vitest'
import { inOneLine, printable } from './printable.ts'

test.each([
  ['a cursor that moves', 'Korea\u001b[2K\rJapan'],
  ['two lines', 'Korea\nJapan'],
  ['a line that reads from the right', 'Korea \u202enapaJ'],
  ['a byte that starts a sequence', 'Korea\u009b2K'],
  ['half a surrogate pair', 'Korea \ud83d'],
])('%s is not printable', (_, text) => {
  expect(printable.safeParse(text).success).toBe(false)
  expect(printable.safeParse(inOneLine(text, 100)).success).toBe(true)
})

test('whatever is put in one line is printable and as short as asked; what is so already stays', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 50 }), fc.integer({ min: 1, max: 30 }), (text, longest) => {
      const line = inOneLine(text, longest)
      expect(printable.safeParse(line).success).toBe(true)
      expect(line.length).toBeLessThanOrEqual(longest)
      if (printable.safeParse(text).success && text.length <= longest) expect(line).toBe(text)
    }),
  )
  for (const name of ['Administration fédérale des douanes', '한국 관세청', 'الجمارك', 'می‌خواهم']) {
    expect(printable.parse(name)).toBe(name)
  }
})
