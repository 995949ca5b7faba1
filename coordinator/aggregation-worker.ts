import { serveThread } from '#party/thread.ts'
import { aggregate } from './aggregation.ts'

serveThread(aggregate)
