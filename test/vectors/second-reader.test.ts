import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { failure, inputOf, vectorFiles } from './format.ts'
import { secondReaderLayers } from './second-reader/layers.ts'
import { n, power, psi, q } from './second-reader/parameters.ts'
import { reversed, transform, transformBack } from './second-reader/transform.ts'

describe.each(vectorFiles())('the second reader and $name', ({ file }) => {
  test.each(file.vectors)('$layer: $name', async vector => {
    expect(await failure(vector, secondReaderLayers, inputOf(file, vector))).toBeUndefined()
  })
})

describe('the second reader', () => {
  test('stands on node:crypto and the form of the vectors alone', () => {
    const folder = join(import.meta.dirname, 'second-reader')
    const imported = readdirSync(folder).flatMap(name =>
      [...readFileSync(join(folder, name), 'utf8').matchAll(/(?:from|import\(?)\s*'([^']+)'/g)].map(match => match[1]),
    )
    const foreign = imported.filter(from => !/^\.\/[\w-]+\.ts$/.test(from as string))
    expect([...new Set(foreign)].sort()).toEqual(['../format.ts', '../layers.ts', 'node:crypto'])
    for (const shared of ['format.ts', 'layers.ts']) {
      const text = readFileSync(join(folder, '..', shared), 'utf8')
      const from = [...text.matchAll(/from '([^']+)'/g)].map(match => match[1] as string)
      expect(from.filter(one => !one.startsWith('node:') && !/^\.\/(format|layers)\.ts$/.test(one))).toEqual([])
    }
  })

  test('has the smallest primitive 2n-th roots of unity', () => {
    q.forEach((prime, limb) => {
      const root = psi[limb] as bigint
      expect(power(root, BigInt(n), prime)).toBe(prime - 1n)
      // The others are its odd powers.
      let [other, smallest] = [root, root]
      for (let i = 1; i < n; i++) {
        other = (other * root * root) % prime
        if (other < smallest) smallest = other
      }
      expect(smallest).toBe(root)
    })
  })

  test('transforms to the values at the odd powers of psi, and back', () => {
    const polynomial = Array.from({ length: n }, (_, i) => BigInt(i * i * 7919) % 1_000_003n)
    const words = transform(polynomial)
    q.forEach((prime, limb) => {
      for (const i of [0, 1, 2, 3, 1000, 2047, 2048, 4095]) {
        const x = power(psi[limb] as bigint, BigInt(2 * reversed(i) + 1), prime)
        const value = polynomial.reduceRight((sum, coefficient) => (sum * x + coefficient) % prime, 0n)
        expect(words[limb as 0 | 1][i]).toBe(value)
      }
    })
    expect(transformBack(words)).toEqual([polynomial, polynomial])
  })
})
