import { table } from '#party/command.ts'
import type { Result } from './bench.ts'
import type { Machine } from './machine.ts'
import type { Target } from './rows.ts'

/** What was measured, for people. */
export function describe(machine: Machine, results: readonly Result[]): string {
  const { cores, model, memory, node, load } = machine
  const loads = load.map(one => one.toFixed(1)).join(', ')
  const head = `${cores} cores (${model}), ${Math.round(memory / 2 ** 30)} GB, Node.js ${node}; load before: ${loads}\n\n`
  const lines = results.map(one => [
    one.verdict,
    one.id,
    `${figure(one.value)} ${one.unit}`,
    bound(one.target),
    `${figure(one.min)} – ${figure(one.max)}, ${one.runs} values`,
    one.load.toFixed(1),
    one.note === undefined ? one.what : `${one.what} (${one.note})`,
  ])
  return head + table([['', 'row', 'median', 'target', 'range', 'load', 'what'], ...lines])
}

function bound(target: Target): string {
  return 'atMost' in target ? `≤ ${figure(target.atMost)}` : `≥ ${figure(target.atLeast)}`
}

/** Four digits, or all before the point. */
function figure(value: number): string {
  return Number(value.toPrecision(Math.max(4, Math.ceil(Math.log10(Math.abs(value) + 1))))).toLocaleString('en', {
    maximumFractionDigits: 3,
  })
}
