/**
 * `npm run bench:rivals`: igcnet against PyTorch and onnxruntime-node on the same problems, in turn, in one run. Prints
 * times and ratios; `--store` keeps them in benchmarks/results/rivals.json. Checked in test/benchmarks/rivals.test.ts.
 */
import { Option } from 'commander'
import { UsageError, unknownName } from '../../src/cli/failure.ts'
import { formatTable } from '../../src/cli/table.ts'
import { wholeNumber } from '../../src/cli/values.ts'
import { benchmarkCommand, chosen, runScript, wordsOption } from '../arguments.ts'
import { origin, storeResults } from '../results.ts'
import { type ContestantName, contestantTitles, type NetworkRivalCase, type RivalCase, rivalCases } from './cases.ts'
import { type CaseResult, contest, contestMemory, type MemoryResult } from './contest.ts'
import { Contestant } from './contestant.ts'
import { ensureOnnxruntime } from './onnxruntime.ts'

interface Choice {
  cases: string[]
  contestants: string[]
  rounds: number
  windowMs: number
  batchSize?: number
  threads: number
  python: string
  store?: boolean
  json?: boolean
}

const command = benchmarkCommand('bench:rivals', 'igcnet against PyTorch and onnxruntime-node, alternating in one run.')
  .addOption(wordsOption('--cases <parts>', 'cases whose ids contain one of these, separated by commas'))
  .addOption(wordsOption('--contestants <names>', `some of ${Object.keys(contestantTitles).join(',')}`))
  .option('--rounds <n>', 'rounds, of which the median is taken', wholeNumber('--rounds', 1, 10_000), 15)
  .option('--window-ms <ms>', 'milliseconds of a window', wholeNumber('--window-ms', 1, 600_000), 400)
  .option(
    '--batch-size <n>',
    'instead of the cases’ own, but not for one image',
    wholeNumber('--batch-size', 1, 65_536),
  )
  .option('--threads <n>', 'threads of every contestant', wholeNumber('--threads', 1, 1024), 2)
  .addOption(new Option('--python <path>', 'a Python with PyTorch').env('IGCNET_PYTHON').default('python3'))
  .option('--store', 'keep the results in benchmarks/results/rivals.json')
  .option('--json', 'print the results as one JSON array on the last line')
  .action(runRivals)

async function runRivals(choice: Choice): Promise<void> {
  const { threads, python } = choice
  const names = contestantNames(choice.contestants)
  const cases = chosen('--cases', rivalCases, choice.cases).map(rivalCase => resized(rivalCase, choice.batchSize))
  if (choice.store && choice.batchSize !== undefined) {
    throw new UsageError('--store: expected the cases as they are but received --batch-size')
  }
  if (names.includes('ort') && cases.some(({ contestants }) => contestants.includes('ort'))) await ensureOnnxruntime()
  const start = (name: ContestantName) => new Contestant(name, { threads, python })
  const living = new Map<ContestantName, Contestant>()
  const results: (CaseResult | MemoryResult)[] = []
  try {
    for (const rivalCase of cases) {
      const takesPart = rivalCase.contestants.filter(name => names.includes(name))
      process.stderr.write(`bench:rivals: ${rivalCase.id}\n`)
      const result =
        rivalCase.kind === 'memory'
          ? await contestMemory(rivalCase as NetworkRivalCase, start, takesPart)
          : await contest(rivalCase, takesPart.map(alive), choice)
      results.push(result)
      if (!choice.json) process.stdout.write(`${resultText(result)}\n`)
      // After each case: what was measured stays when a later one fails.
      if (choice.store) storeResults('rivals', [{ ...result, origin: origin(threads, await versions(living)) }])
    }
  } finally {
    for (const contestant of living.values()) contestant.close()
  }
  if (choice.json) process.stdout.write(`${JSON.stringify(results)}\n`)

  function alive(name: ContestantName): Contestant {
    const contestant = living.get(name) ?? start(name)
    living.set(name, contestant)
    return contestant
  }
}

function contestantNames(words: readonly string[]): ContestantName[] {
  const known = Object.keys(contestantTitles) as ContestantName[]
  if (words.length === 0) return known
  for (const word of words) if (!known.includes(word as ContestantName)) throw unknownName('contestant', word, known)
  return known.filter(name => words.includes(name))
}

/** The case at another batch size, for a quick look. */
function resized(rivalCase: RivalCase, batchSize: number | undefined): RivalCase {
  if (batchSize === undefined || rivalCase.kind === 'latency') return rivalCase
  if ('block' in rivalCase) return { ...rivalCase, block: { ...rivalCase.block, N: batchSize } }
  return { ...rivalCase, batchSize }
}

/** Of the other libraries that take part. */
async function versions(living: ReadonlyMap<ContestantName, Contestant>): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const [name, contestant] of living) {
    if (name.startsWith('ours')) continue
    const library = name === 'ort' ? 'onnxruntime-node' : 'PyTorch'
    found[library] ??= (await contestant.ask({ command: 'version' })).version ?? 'unknown'
  }
  return found
}

function resultText(result: CaseResult | MemoryResult): string {
  const names = Object.keys('peaks' in result ? result.peaks : result.timings) as ContestantName[]
  const cells = (name: ContestantName): string[] => {
    if ('peaks' in result) {
      const { peak = Number.NaN, baseline = Number.NaN } = result.peaks[name] ?? {}
      return [(peak / 2 ** 20).toFixed(0), (baseline / 2 ** 20).toFixed(0)]
    }
    const { median, lowerQuartile, upperQuartile } = result.timings[name] ?? {}
    const digits = (ms: number | undefined) => ms?.toPrecision(4) ?? ''
    return [digits(median), `${digits(lowerQuartile)} to ${digits(upperQuartile)}`]
  }
  const head =
    'peaks' in result
      ? [result.id, 'peak MiB', 'before MiB', 'by ours']
      : [result.id, 'median ms', 'quartiles ms', 'by ours']
  const rows = names.map(name => [contestantTitles[name], ...cells(name), result.ratios[name]?.toFixed(2) ?? ''])
  return formatTable(head, rows, [false, true, true, true])
}

await runScript(command)
