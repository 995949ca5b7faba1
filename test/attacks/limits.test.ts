import { expect, test } from 'vitest'
import { pool } from './pooling-custodians.ts'
import { FIGURES, foundFederation, MEMBERS, QUESTION, Scene } from './scene.ts'

/**
 * What the promise does not cover, done: so that nobody takes the protections for more than they are, and the attempts beside this for
 * attempts that could not succeed.
 */

test('the coordinator and as many custodians as open read one contribution', async () => {
  using scene = new Scene(await foundFederation())
  expect(await pool(scene, ['BR', 'FR', 'JP', 'KR'])).toBe(FIGURES.VN)
})

test('all other members of a cohort who pool their figures read the last one', async () => {
  using scene = new Scene(await foundFederation())
  const { rows } = await scene.federation.ask(QUESTION)
  const pooled = MEMBERS.filter(id => id !== 'VN').reduce((sum, id) => sum + Number(FIGURES[id]), 0)
  expect(Number(rows[0]?.['sum(value)']) - pooled).toBe(Number(FIGURES.VN))
})
