/** Learning rates as functions of the position in the training. Checked in test/unit/schedule.test.ts. */

/** The learning rate at a position, counted in epochs from 0; 2.5 is in the middle of the third, and what is below 0 counts as 0. */
export type Schedule = (epoch: number) => number

interface WarmUp {
  /** Epochs during which the rate grows linearly from 0 to the schedule's. Default: 0. */
  warmupEpochs?: number
}

function withWarmUp(warmupEpochs: number, schedule: Schedule): Schedule {
  return position => {
    const epoch = Math.max(position, 0)
    return epoch < warmupEpochs ? schedule(epoch) * (epoch / warmupEpochs) : schedule(epoch)
  }
}

/**
 * The rate is multiplied by `factor` at each of `steps` (epochs, counted from 0): the authors' schedule with factor 0.1.
 * @throws RangeError for numbers below 0
 */
export function multiStep(options: { lr: number; steps: readonly number[]; factor?: number } & WarmUp): Schedule {
  const { lr, steps, factor = 0.1, warmupEpochs = 0 } = options
  check('multiStep', { lr, factor, warmupEpochs })
  check('multiStep', Object.fromEntries(steps.map((step, i) => [`steps[${i}]`, step])))
  return withWarmUp(warmupEpochs, epoch => lr * factor ** steps.filter(step => epoch >= step).length)
}

/**
 * Half a cosine from `lr` down to `minLr` (default 0) over `epochs` (Loshchilov and Hutter 2017, without restarts).
 * @throws RangeError for numbers below 0, or 0 epochs
 */
export function cosine(options: { lr: number; epochs: number; minLr?: number } & WarmUp): Schedule {
  const { lr, epochs, minLr = 0, warmupEpochs = 0 } = options
  check('cosine', { lr, epochs, minLr, warmupEpochs })
  if (epochs === 0) throw new RangeError('cosine: expected more than 0 epochs but received 0')
  return withWarmUp(warmupEpochs, epoch => {
    const position = Math.min(Math.max(epoch / epochs, 0), 1)
    return minLr + ((lr - minLr) * (1 + Math.cos(Math.PI * position))) / 2
  })
}

/** Throws unless all are numbers of 0 or more. */
function check(schedule: string, numbers: Record<string, number>): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (Number.isFinite(value) && value >= 0) continue
    throw new RangeError(`${schedule}: expected a number of 0 or more for ${name} but received ${value}`)
  }
}
