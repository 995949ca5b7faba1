import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { table } from '#party/command.ts'
import type { Answer } from '#researcher/answer.ts'
import type { Comparison } from './comparison.ts'

export interface Asked {
  readonly answer: Answer
  readonly comparison: Comparison
  /** From the command to its answer, in milliseconds. */
  readonly milliseconds: number
  /** The folder in which the coordinator holds the round. */
  readonly uploads: string
}

/** To have an answer opened again, for a cohort without one member. */
export interface Attempt {
  readonly answer: Answer
  readonly leftOut: string
  /** Why, by custodian. */
  readonly refusals: Readonly<Record<string, string>>
}

/** What a minister would want to know of the demonstration. */
export function summary(asked: readonly Asked[], attempt: Attempt): string {
  return [
    'What was asked, and who took part\n\n',
    asked.map(describeAsked).join('\n'),
    '\n',
    whatWasSeen(asked[0] as Asked),
    '\n',
    whatWasTried(attempt),
  ].join('')
}

function whatWasTried({ answer, leftOut, refusals }: Attempt): string {
  const reasons = Map.groupBy(Object.keys(refusals), custodian => refusals[custodian] as string)
  return [
    `What the coordinator tried: to have "${answer.purpose}"\n`,
    `opened again without ${leftOut}, whose own figures are what is left when one answer is subtracted from the other\n\n`,
    table([...reasons].map(([reason, custodians]) => [custodians.join(', '), `refused: ${reason}`])),
  ].join('')
}

function describeAsked({ answer, comparison, milliseconds, uploads }: Asked): string {
  const sizes = contributions(uploads).map(file => statSync(file).size)
  const missing = answer.missing.map(({ member, reason }) => `${member} (${reason})`).join(', ')
  const { cells, filled, differences } = comparison
  const rows = [
    ['  in the answer', `${answer.cohort.join(', ')}${missing === '' ? '' : `; missing: ${missing}`}`],
    ['  key opened by', `${answer.evidence.openedBy.join(', ')}; the key is gone since`],
    [
      '  against plaintext',
      differences.length === 0
        ? `all ${count(cells)} cells are the same, to the last cent and gram (${count(filled)} hold records)`
        : `${differences.length} DIFFERENCES: ${differences.slice(0, 3).join('; ')}`,
    ],
    [
      '  it cost',
      `${count(milliseconds)} ms in all; ${count(Math.max(...sizes))} bytes from each member, ${count(sizes.reduce((a, b) => a + b, 0))} together`,
    ],
  ]
  return `${answer.purpose}\n${table(rows)}`
}

/** A look at the bytes that the coordinator holds, beside what the researcher read from their sum. */
function whatWasSeen({ answer, uploads }: Asked): string {
  const file = contributions(uploads)[0] as string
  const bytes = readFileSync(file)
  const ciphertext = bytes.subarray(-4096 * 10)
  const rows = answer.rows.slice(0, 3).map(row => Object.values(row).join('  '))
  const held = Array.from({ length: 3 }, (_, i) => ciphertext.subarray(20 * i, 20 * i + 20).toString('hex'))
  return [
    `What each party saw of "${answer.purpose}"\n\n`,
    table([
      ['a member', 'the question, who asked it, and its own records'],
      [
        'the coordinator',
        `ciphertexts, ten bytes a cell (${entropy(ciphertext).toFixed(3)} bits of entropy in a byte, of 8), such as`,
      ],
      ...held.map(line => ['', line]),
      ['a custodian', 'one sealed key share of each member, 13,312 random bytes, of which it gave away the sum'],
      ['the researcher', `the joint figures, ${count(answer.rows.length)} rows, and nobody's own, such as`],
      ...rows.map(line => ['', line]),
    ]),
  ].join('')
}

function contributions(uploads: string): string[] {
  return readdirSync(uploads)
    .filter(name => name.endsWith('.contribution'))
    .map(name => join(uploads, name))
}

/** Shannon entropy of the bytes' distribution, in bits a byte; 8 is what random bytes come close to. */
function entropy(bytes: Uint8Array): number {
  const counts = new Array<number>(256).fill(0)
  for (const byte of bytes) counts[byte] = (counts[byte] as number) + 1
  return counts.reduce((sum, n) => (n === 0 ? sum : sum - (n / bytes.length) * Math.log2(n / bytes.length)), 0)
}

function count(n: number): string {
  return Math.round(n).toLocaleString('en')
}
