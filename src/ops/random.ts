/**
 * Random tensors from the counter-based generator Philox4x32-10 (Salmon et al., SC 2011): the same numbers on every
 * device, and a state of two integers. Checked in test/kernels/random.test.ts.
 */
import { type NativeTensor, native, type RandomParams } from '../native.ts'
import { type DeviceChoice, type FloatDType, type Shape, Tensor } from '../tensor.ts'
import { expectOptions, inWords } from '../values.ts'

/** The dtype and the place of random numbers. */
export interface RandomOptions<D extends FloatDType> {
  /** Default: f32. */
  dtype?: D
  /** Default: 'cpu'. */
  device?: DeviceChoice
}

/** Where a generator stands: blocks of its stream that were used. */
export interface GeneratorState {
  seed: number
  offset: number
}

/** A stream of random tensors. */
export class Generator {
  #seed: number
  #offset = 0

  /** @param seed a whole number from 0 to 2^53 - 1 */
  constructor(seed = 0) {
    this.#seed = checkCounter('seed', seed)
  }

  /**
   * Numbers evenly distributed over [low, high). Defaults: 0 and 1.
   * @throws RangeError unless both and their difference are finite, and low is at most high
   */
  uniform<const S extends Shape, D extends FloatDType = 'f32'>(
    shape: S,
    options: RandomOptions<D> & { low?: number; high?: number } = {},
  ): Tensor<S, NoInfer<D>> {
    expectOptions('random', options)
    const { low = 0, high = 1 } = options
    checkFinite({ low, high })
    if (low > high) throw new RangeError(`random: expected low of at most ${high} (high) but received ${low}`)
    if (!Number.isFinite(high - low)) {
      throw new RangeError(`random: expected a finite range but received ${low} to ${high}`)
    }
    return this.#draw(native.randomUniform, shape, options, low, high)
  }

  /**
   * Normally distributed numbers. Defaults: mean 0, standard deviation 1.
   * @throws RangeError unless both are finite and the latter 0 or more
   */
  normal<const S extends Shape, D extends FloatDType = 'f32'>(
    shape: S,
    options: RandomOptions<D> & { mean?: number; std?: number } = {},
  ): Tensor<S, NoInfer<D>> {
    expectOptions('random', options)
    const { mean = 0, std = 1 } = options
    checkFinite({ mean, std })
    if (std < 0) throw new RangeError(`random: expected a standard deviation of 0 or more but received ${std}`)
    return this.#draw(native.randomNormal, shape, options, mean, std)
  }

  #draw<S extends Shape, D extends FloatDType>(
    draw: (params: RandomParams) => NativeTensor,
    shape: S,
    options: RandomOptions<D>,
    a: number,
    b: number,
  ): Tensor<S, D> {
    const { dtype = 'f32', device = 'cpu' } = options
    const made = new Tensor<S, D>(draw({ device, dtype, shape, seed: this.#seed, offset: this.#offset, a, b }))
    this.#offset += Math.ceil(made.size / 2) // two numbers a block
    return made
  }

  /** Where it stands, as plain JSON, for a checkpoint. */
  state(): GeneratorState {
    return { seed: this.#seed, offset: this.#offset }
  }

  /**
   * Goes on from where a generator stood.
   * @throws RangeError unless seed and offset are whole numbers from 0 to 2^53 - 1; the generator then stays as it was
   */
  loadState(state: GeneratorState): void {
    expectOptions('random', state)
    const [seed, offset] = [checkCounter('seed', state.seed), checkCounter('offset', state.offset)]
    this.#seed = seed
    this.#offset = offset
  }
}

function checkFinite(numbers: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (Number.isFinite(value)) continue
    throw new RangeError(`random: expected a finite number for ${name} but received ${inWords(value)}`)
  }
}

function checkCounter(name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(
      `random: expected a whole number from 0 to 2^53 - 1 for ${name} but received ${inWords(value)}`,
    )
  }
  return value
}
