import { SEALED_BYTES } from '#crypto/sealing.ts'
import type { Fetch } from '#party/connection.ts'
import { Federation } from '../federation.ts'
import type { Bench, Family } from './bench.ts'
import { checkAnswer, csvOf } from './declarations.ts'
import { queryFile } from './questions.ts'

/** Bytes as the members send and receive them, in a federation of five, all of whom are custodians. */

const RECORDS = 1000
const ROWS = { 10000: 'wire-cell-10k', 100000: 'wire-cell-100k', 1000000: 'wire-cell' } as const

/** The lengths of bodies that pass, as they pass. */
class Scales {
  readonly contributions: number[] = []
  readonly shares: number[] = []

  readonly network =
    (_who: string, direct: Fetch): Fetch =>
    async (url, init) => {
      // Nothing else is sent as a file.
      if (init?.body instanceof Blob) this.contributions.push(init.body.size)
      const response = await direct(url, init)
      if (!url.endsWith('/shares')) return response
      const body = await response.arrayBuffer()
      this.shares.push(body.byteLength)
      return new Response(body, response)
    }
}

async function wire(bench: Bench): Promise<void> {
  const scales = new Scales()
  const federation = await bench.make(Federation.create({ network: scales.network }))
  const members = [...federation.nodes.keys()]
  for (const id of members) federation.load(id, csvOf(id, RECORDS), { from: '2020-01', to: '2020-12' })
  await bench.repeat('bytes on the wire', async () => {
    const framed: number[] = []
    for (const slots of [10_000, 100_000, 1_000_000] as const) {
      scales.contributions.length = 0
      scales.shares.length = 0
      checkAnswer(await federation.ask(queryFile(slots)), queryFile(slots), members, RECORDS)
      for (const bytes of scales.contributions) bench.record(ROWS[slots], bytes / slots)
      const shares = (members.length * SEALED_BYTES) / slots
      bench.note(ROWS[slots], `of which ${shares.toFixed(2)} are sealed shares`)
      const frames = scales.shares.map(bytes => bytes / members.length / 1000)
      if (slots !== 10_000) framed.push(Math.max(...frames))
      for (const frame of frames) bench.record('custodian-bytes', frame)
    }
    bench.record('custodian-tenfold', (framed[1] as number) / (framed[0] as number))
  })
}

export const bytes: Family = {
  ids: ['wire-cell', 'wire-cell-100k', 'wire-cell-10k', 'custodian-bytes', 'custodian-tenfold'],
  runs: 3,
  measure: wire,
}
