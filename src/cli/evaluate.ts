/** `igcnet evaluate`: loss and accuracy of a checkpoint. Checked in test/cli/train.test.ts. */
import type { Command } from 'commander'
import type { CheckpointEvaluation, EvaluationConfig } from '../train/index.ts'
import { InterruptedError, UsageError } from './failure.ts'
import { addDataOptions, addDeviceOptions, checkFileOptions, type DataChoice, deviceFor } from './machine-options.ts'
import { type DeviceChoice, SPLITS } from './names.ts'
import { reporterFor } from './progress.ts'
import { stoppable } from './signals.ts'
import { withCommas } from './table.ts'
import type { Terminal } from './terminal.ts'
import { oneOf, path, wholeNumber } from './values.ts'

interface EvaluateChoice extends DataChoice {
  checkpoint: string
  split: (typeof SPLITS)[number]
  testBatchSize?: number
  device?: DeviceChoice
  threads?: number
  json?: boolean
}

/** The default of what is not given, in help. */
const RUNS = "the run's"

/** Adds the command to the program. */
export function addEvaluate(program: Command, terminal: Terminal): void {
  const command = program
    .command('evaluate')
    .description('Evaluate a checkpoint. What is not given is as in the run that made it.')
    .optionsGroup('Checkpoint:')
    .requiredOption(
      '--checkpoint <path>',
      'a model file, or a run folder, whose best one is taken',
      path('--checkpoint'),
    )
  addDataOptions(command, { dataset: RUNS, dataDir: RUNS, examples: RUNS, download: RUNS })
  command
    .option('--split <name>', `${SPLITS.join(' or ')} images`, oneOf('split', SPLITS), 'test')
    .option(
      '--test-batch-size <n>',
      `images in a batch (default: ${RUNS})`,
      wholeNumber('--test-batch-size', 1, 65_536),
    )
  addDeviceOptions(command, RUNS, RUNS)
  command
    .optionsGroup('Output:')
    .option('--json', 'print one JSON object on the last line of standard output')
    .action((choice: EvaluateChoice) => runEvaluate(choice, terminal))
}

async function runEvaluate(choice: EvaluateChoice, terminal: Terminal): Promise<void> {
  const { checkpoint, split, json = false, device: deviceChoice, ...given } = choice
  checkSplit(choice)
  const device = deviceChoice && (await deviceFor(deviceChoice, terminal.err))
  const { evaluateCheckpoint, readConfig } = await import('../train/index.ts')
  const { modelFile } = await import('../train/checkpoint.ts')
  const stored = await readConfig(modelFile(checkpoint))
  const dataset = given.dataset ?? stored.dataset
  checkFileOptions(given, dataset)
  const config: EvaluationConfig = { ...given, ...(device && { device }) }
  const stream = terminal.progress(json)
  const reporter = reporterFor(stream)
  await stoppable(
    terminal,
    async ({ signal, exitCode }) => {
      stream.write(
        `evaluating ${checkpoint} on the ${split} images of ${dataset} (${config.device ?? stored.device})\n`,
      )
      const onProgress = reporter.show
      const evaluation = await evaluateCheckpoint(checkpoint, { split, config, signal, onProgress })
        .catch((error: unknown) => {
          const code = exitCode()
          throw code === undefined ? error : new InterruptedError(code, 'stopped before the end of the evaluation')
        })
        .finally(() => reporter.close())
      terminal.out(json ? `${JSON.stringify(resultOf(evaluation, split))}\n` : resultText(evaluation, split))
    },
    () => reporter.close(),
    () => reporter.close(),
  )
}

/** Metrics are named as `train --json` names them: testTop1, … */
function resultOf(
  { top1, top5, loss, examples, model, config, weightsSha256 }: CheckpointEvaluation,
  split: string,
): object {
  const metrics = { [`${split}Top1`]: top1, [`${split}Top5`]: top5, [`${split}Loss`]: loss }
  return { ...metrics, examples, split, dataset: config.dataset, checkpoint: model, weightsSha256 }
}

function resultText({ top1, top5, loss, examples, config }: CheckpointEvaluation, split: string): string {
  const images = `${withCommas(examples)} ${split} images of ${config.dataset}`
  return `${images}: top-1 ${top1.toFixed(2)} %, top-5 ${top5.toFixed(2)} %, loss ${loss.toFixed(4)}\n`
}

/** The number of examples is that of the split. */
function checkSplit({ split, trainExamples, testExamples }: EvaluateChoice): void {
  const [other, given] = split === 'test' ? ['train', trainExamples] : ['test', testExamples]
  if (given !== undefined) {
    throw new UsageError(`--${other}-examples: expected --split ${other} with it but received --split ${split}`)
  }
}
