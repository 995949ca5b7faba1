import { describe, expect, test } from 'vitest'
import { failure, inputOf, vectorFiles } from './format.ts'
import { productLayers } from './product/layers.ts'

describe.each(vectorFiles())('the product and $name', ({ file }) => {
  test.each(file.vectors)('$layer: $name', async vector => {
    expect(await failure(vector, productLayers, inputOf(file, vector))).toBeUndefined()
  })
})
