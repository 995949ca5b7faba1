import { describe, expect, it } from 'vitest'
import { Federation } from './federation.ts'

const MONTH = `dataset: declarations
where: { flow: import, period: 2020-01 }
by: [hs2, transport]
measures: [{ count: records }, { sum: value }]
purpose: imports of January
`

describe('a federation answers a question', () => {
  it('exactly, and over everybody', async () => {
    using federation = await Federation.create()
    const head = 'flow,period,hs6,transport,value\n'
    federation.load('KR', `${head}import,2020-01,851712,sea,10.25\nimport,2020-01,010121,,0.01\n`)
    federation.load('JP', `${head}import,2020-01,851713,sea,5.75\nimport,2020-02,851713,sea,99\n`)
    const answer = await federation.ask(MONTH)
    expect(federation.errors).toEqual([])
    expect(answer.cohort).toEqual(['BR', 'FR', 'JP', 'KR', 'VN'])
    expect(answer.rows).toEqual([
      { hs2: '01', transport: 'unknown', 'count(records)': 1, 'sum(value)': '0.01' },
      { hs2: '85', transport: 'sea', 'count(records)': 2, 'sum(value)': '16.00' },
    ])
    expect(answer.evidence.addedUpAgain).toBe(true)
  })
})
