import { serveThread } from '#party/thread.ts'
import { addUp } from './addition.ts'

serveThread(addUp)
