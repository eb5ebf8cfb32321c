/** Runs a benchmark script as a process, for the tests of this folder. */
import { join } from 'node:path'
import { type Outcome, root, start } from '../cli/command-line.ts'

/** What `npm run <script> -- <argv>` prints, and how it ends. */
export function script(path: string, ...argv: string[]): Promise<Outcome> {
  return start(argv, { entry: join(root, 'benchmarks', path) }).ended
}
