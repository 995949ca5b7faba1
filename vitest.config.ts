import { defineConfig } from 'vitest/config'

/** Tests that need programs from outside npm (nginx, squid): `npm run test:proxies`. */
const PROXIES = 'test/proxies/**/*.test.ts'

// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: 'normal', include: ['**/*.test.ts'], exclude: [PROXIES, '**/node_modules/**'] } },
      { extends: true, test: { name: 'proxies', include: [PROXIES] } },
    ],
  },
})
