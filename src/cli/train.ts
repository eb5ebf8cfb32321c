/**
 * `igcnet train`: trains a network, or continues a run. Checked in test/cli/train.test.ts, test/cli/interrupt.test.ts
 * and test/cli/usage.test.ts.
 */
import { mkdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { makeDirectory } from '../directory.ts'
import { DataError } from '../errors.ts'
import { networkTitle } from '../models/table.ts'
import type { TrainConfig, TrainResult } from '../train/index.ts'
import { toModelSizes } from '../train/network-sizes.ts'
import { checkedUsage, InterruptedError, UsageError } from './failure.ts'
import { checkFileOptions, deviceFor } from './machine-options.ts'
import { checkNetworkOptions, warnOf } from './network-options.ts'
import { formatDuration, reporterFor } from './progress.ts'
import { stoppable } from './signals.ts'
import { withCommas } from './table.ts'
import type { Terminal } from './terminal.ts'
import { addTrainOptions, givenConfig, placeOf, type RunPlace, type TrainChoice } from './train-options.ts'

/** Adds the command to the program. */
export function addTrain(program: Command, terminal: Terminal): void {
  const command = program
    .command('train')
    .description(
      'Train a network. Without options: plain_igc, depth 20, L24M2, on the handwritten digits that come with igcnet.',
    )
  addTrainOptions(command)
  command.action((choice: TrainChoice) => runTrain(choice, terminal))
}

async function runTrain(choice: TrainChoice, terminal: Terminal): Promise<void> {
  const place = placeOf(choice)
  const device = choice.device && (await deviceFor(choice.device, terminal.err))
  const { train, withDefaults } = await import('../train/index.ts')
  const run = await storedRun(place)
  const given = { ...givenConfig(choice), ...(device && { device }) }
  if (run && given.network !== undefined && given.network !== run.config.network) {
    throw new UsageError(
      `--network: expected ${run.config.network}, the network of the run in ${run.folder}, but received ${given.network}`,
    )
  }
  checkNetworkOptions(given, given.network ?? run?.config.network)
  checkFileOptions(given, given.dataset ?? run?.config.dataset ?? 'digits')
  const config = checkedUsage(() => withDefaults({ ...run?.config, ...given }))
  warnOf(config.network, given, terminal)
  const named = place.runDir ?? run?.folder
  const runDir = named ?? (await freshFolder(config))
  const stream = terminal.progress(choice.json === true)
  const reporter = reporterFor(stream, headline(config, runDir, place))
  await stoppable(
    terminal,
    async stop => {
      const options = { runDir, resume: place.resume, signal: stop.signal, onProgress: reporter.show }
      const result = await train(config, options).finally(() => {
        reporter.close()
        if (named === undefined) removeEmpty(runDir)
      })
      if (choice.json) terminal.out(`${JSON.stringify(result)}\n`)
      const exitCode = stop.exitCode()
      if (result.stopped && exitCode !== undefined) throw new InterruptedError(exitCode, stopText(result, config))
      if (!choice.json) terminal.out(resultText(result))
    },
    () => {
      reporter.close()
      terminal.err('igcnet: stopping after this step; once more stops at once\n')
    },
    () => reporter.close(),
  )
}

/** The run that --resume or --load-epoch names. @throws DataError when there is none, UsageError for another epoch */
async function storedRun({
  resume,
  loadEpoch,
}: RunPlace): Promise<{ folder: string; config: TrainConfig } | undefined> {
  if (resume === undefined) return undefined
  const { readConfig } = await import('../train/index.ts')
  const { folderOf, loadCheckpoint } = await import('../train/checkpoint.ts')
  const folder = folderOf(resume)
  const config = await readConfig(folder)
  if (loadEpoch !== undefined) {
    const done = (await loadCheckpoint(folder)).state.rows.length
    if (done !== loadEpoch) {
      throw new UsageError(
        `--load-epoch: expected ${done}, the finished epochs of ${folder}, but received ${loadEpoch}`,
      )
    }
  }
  return { folder, config }
}

/** Makes runs/<network>-<dataset>-<time>, with a number behind it if another run began in the same second. */
async function freshFolder({ network, dataset }: TrainConfig): Promise<string> {
  const time = new Date().toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 'yyyymmdd-hhmmss'.length)
  const folder = join('runs', `${network}-${dataset}-${time}`)
  await makeDirectory('runs').catch(cause => {
    throw new DataError(`cannot make a folder for the run, ${folder}; --run-dir names another one: ${cause.message}`, {
      cause,
    })
  })
  for (let i = 1; ; i++) {
    const free = i === 1 ? folder : `${folder}-${i}`
    try {
      mkdirSync(free)
      return free
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

/** What fails before it writes leaves no folder. */
function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // it has files
  }
}

function headline(config: TrainConfig, runDir: string, { resume }: RunPlace): string {
  const { network, dataset, device, threads } = config
  const title = networkTitle(network, toModelSizes(config))
  const verb = resume === undefined ? 'training' : `continuing ${shellWord(resume)}:`
  return `${verb} ${title}, on ${dataset} (${device}, ${threads} threads), in ${runDir}`
}

function stopText(result: TrainResult, config: TrainConfig): string {
  const command = `igcnet train --resume ${shellWord(result.runDir)}`
  return `stopped after ${result.epochs} of ${config.numEpochs} epochs; this goes on: ${command}`
}

/** A path as it is typed into a shell. */
function shellWord(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}

function resultText(result: TrainResult): string {
  const { testTop1, testLoss, trainLoss, epochs, imagesPerSecond, seconds, best, checkpoint } = result
  const lines = [
    `test top-1 ${testTop1.toFixed(2)} %, test loss ${testLoss.toFixed(4)}, train loss ${trainLoss.toFixed(4)} ` +
      `after ${epochs} epochs (${formatDuration(seconds)}, ${withCommas(Math.round(imagesPerSecond))} images/s)`,
  ]
  if (best) lines.push(`best: top-1 ${best.testTop1.toFixed(2)} % in epoch ${best.epoch + 1}: ${best.path}`)
  lines.push(`last: ${checkpoint}`)
  return `${lines.join('\n')}\n`
}
