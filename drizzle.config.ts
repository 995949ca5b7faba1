import { defineConfig } from 'drizzle-kit'

// npm run migration -- coordinator|member-node|researcher
const party = process.env.PARTY
if (!party) throw new Error('say whose tables changed: PARTY=coordinator npm run migration')

// biome-ignore lint/style/noDefaultExport: drizzle-kit reads the default export
export default defineConfig({ dialect: 'sqlite', schema: `./${party}/schema.ts`, out: `./${party}/migrations` })
