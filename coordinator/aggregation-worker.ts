import { loadSeal } from '#crypto/seal.ts'
import { serveThread } from '#party/thread.ts'
import { aggregate } from './aggregation.ts'

// Its tables take a fifth of a second to make: before the first cohort is closed.
await loadSeal()
serveThread(aggregate)
