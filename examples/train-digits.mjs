/**
 * Trains an interleaved group convolution network on the handwritten digits that come with igcnet, and leaves a run folder
 * with its checkpoints, curves and metrics. Ctrl-C stops it with a valid checkpoint; the same command then goes on.
 *
 *   node examples/train-digits.mjs [--run-dir runs/digits] [--epochs 10]
 */
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { train } from 'igcnet'

const { values } = parseArgs({
  options: { 'run-dir': { type: 'string', default: 'runs/digits' }, epochs: { type: 'string', default: '10' } },
})
const runDir = values['run-dir']

// A run that was begun goes on with its own configuration; it may be made longer.
const resume = existsSync(runDir) ? runDir : undefined
const numEpochs = Number(values.epochs)
const config = resume ? { ...(await train.readConfig(runDir)), numEpochs } : firstConfig()

function firstConfig() {
  // What is not given has the papers' defaults: Nesterov's momentum, learning rate 0.1, divided by 10 at 1/2, 3/4, 7/8.
  return train.withDefaults({
    network: 'plain_igc',
    depth: 8,
    primaryPartition: 16,
    secondaryPartition: 2,
    dataset: 'digits',
    batchSize: 32,
    numEpochs,
  })
}

const stop = new AbortController()
process.once('SIGINT', () => stop.abort())

const result = await train.train(config, {
  runDir,
  resume,
  signal: stop.signal,
  onProgress: progress => {
    if (progress.kind !== 'epoch') return
    const { epoch, epochs, trainLoss, testTop1 } = progress
    console.log(
      `epoch ${epoch + 1} of ${epochs}: loss ${trainLoss.toFixed(3)}, ${testTop1.toFixed(1)} % of the test images`,
    )
  },
})
console.log(result.stopped ? 'stopped; the same command goes on' : `done in ${result.seconds.toFixed(1)} s`)
console.log(`checkpoint: ${result.best?.path ?? result.checkpoint}`)
