import { run } from '#party/command.ts'
import { thisProcess } from '#party/process.ts'
import { program } from './commands.ts'

const terminal = thisProcess()
process.exitCode = await run(program(terminal), terminal)
