import { run } from '#party/command.ts'
import { thisProcess } from '#party/process.ts'
import { policyProgram } from './policy-commands.ts'

const terminal = thisProcess()
process.exitCode = await run(policyProgram(terminal), terminal)
