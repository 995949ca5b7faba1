import { PROTOCOL } from '#specs/signed.ts'
import release from '../package.json' with { type: 'json' }

process.stdout.write(`inbond ${release.version}, protocol ${PROTOCOL}\n`)
