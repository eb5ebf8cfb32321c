/** The dropout layer. Checked in test/unit/layers.test.ts and test/unit/trainer.test.ts; its op in test/kernels. */
import { dropout, type FloatTensor } from '../ops/index.ts'
import { expectOptions, inWords } from '../values.ts'
import { Module } from './module.ts'

/** Pairs of elements that each step has for itself in the stream of random numbers: maps of up to 2^29 elements. */
const STEP = 2 ** 28
/** Steps that the stream has room for; then it begins again. */
const STEPS = 2 ** 25

/**
 * In training mode sets elements to zero with probability `rate` and scales the others up; in inference mode nothing.
 * What falls is a function of the seed and of `step`, so a run that continues at its step continues bit for bit.
 */
export class Dropout extends Module<FloatTensor, FloatTensor> {
  readonly rate: number
  readonly seed: number
  /** Forward passes made in training mode; the trainer sets it when it continues a run. */
  step = 0

  /** @param options.seed tells layers apart that are to fall differently. Default: 0. @throws RangeError */
  constructor(options: { rate: number; seed?: number }) {
    super()
    expectOptions('Dropout', options)
    const { rate, seed = 0 } = options
    if (!(Number.isFinite(rate) && rate >= 0 && rate < 1)) {
      throw new RangeError(`Dropout: expected a rate of 0 or more and below 1 but received ${inWords(rate)}`)
    }
    this.rate = rate
    this.seed = seed
  }

  forward<T extends FloatTensor>(x: T): T {
    if (!this.training || this.rate === 0) return x
    const offset = (this.step % STEPS) * STEP
    this.step++
    return dropout(x as FloatTensor, { rate: this.rate, seed: this.seed, offset }) as T
  }
}
