#!/usr/bin/env node
/** The command `igcnet`: everything is in program.ts. Checked by the tests of test/cli, which start it. */
import { EXIT_FAILURE, reportFailure } from './failure.ts'
import { run } from './program.ts'
import { processTerminal } from './terminal.ts'

const terminal = processTerminal()
// Also for promises that nobody waited for.
process.on('uncaughtException', error => {
  reportFailure(error, terminal.err)
  process.exit(EXIT_FAILURE)
})
const exitCode = await run(process.argv.slice(2), terminal)
process.exitCode = exitCode || process.exitCode // that of lost output
