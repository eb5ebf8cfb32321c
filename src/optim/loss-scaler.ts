/**
 * Dynamic loss scaling for maps of f16 (Micikevicius et al., ICLR 2018, section 3.2): gradients of maps below 2^-24 would
 * become 0, so the loss is multiplied by a scale that keeps them, and a step whose gradients went beyond f16 is left
 * out. bf16 has the range of f32 and needs none of this. Checked in test/unit/loss-scaler.test.ts.
 */
import { noteNonFinite } from '../ops/sgd-step.ts'
import { type DeviceChoice, full, type ParameterDType, type Tensor, untracked, zeros } from '../tensor.ts'
import { expectOptions, inWords } from '../values.ts'
import type { Sgd } from './sgd.ts'

/** Bounds of the scale. */
const [LEAST, MOST] = [2 ** -24, 2 ** 24]

/** The first scale, and when it grows. */
export interface LossScalerOptions {
  /** The first scale: 2^-24 to 2^24, between which it stays. Default: 65,536. */
  initialScale?: number
  /** After so many steps in a row that went well the scale is doubled. Default: 2,000. */
  growthInterval?: number
  /** That of the loss. Default: cpu. */
  device?: DeviceChoice
}

/** Where a loss scaler stands, as plain JSON. */
export interface LossScalerState {
  scale: number
  /** Steps in a row that went well. */
  good: number
}

/**
 * Multiplies a loss, and lets an optimiser divide its gradients.
 * @example
 * scaler.backward(loss)
 * scaler.step(sgd)
 * await scaler.update()
 */
export class LossScaler {
  /** The scale on the device. */
  readonly scale: Tensor<readonly [], 'f32'>
  /** Not 0 on the device: the step under way has a gradient that is not finite. */
  readonly found: Tensor<readonly [], 'f32'>
  readonly #none: Tensor<readonly [], 'f32'>
  readonly #growthInterval: number
  #state: LossScalerState

  /** @throws RangeError */
  constructor(options: LossScalerOptions = {}) {
    const { initialScale = 65_536, growthInterval = 2_000, device = 'cpu' } = options
    checkScale('initialScale', initialScale)
    if (!(Number.isSafeInteger(growthInterval) && growthInterval > 0)) {
      throw new RangeError(`lossScaler: expected a growthInterval of 1 or more but received ${growthInterval}`)
    }
    this.#growthInterval = growthInterval
    this.#state = { scale: initialScale, good: 0 }
    this.scale = untracked(() => full([], initialScale, { device }))
    this.found = untracked(() => zeros([], { device }))
    this.#none = untracked(() => zeros([], { device }))
  }

  /** Gradients of loss * scale. */
  backward(loss: Tensor<readonly [], ParameterDType>): void {
    loss.backward(this.scale as never)
  }

  /** A step of the optimiser with gradients divided by the scale; it is left out when one of them is not finite. */
  step(sgd: Sgd): void {
    this.found.assign(this.#none)
    for (const gradient of sgd.gradients()) noteNonFinite(gradient, this.found)
    sgd.step(this)
  }

  /** Enqueues the reading of how the last step went; its promise has adapted the scale, and tells whether it was left out. */
  async update(): Promise<boolean> {
    const skipped = (await this.found.item()) !== 0
    const { scale, good } = this.#state
    if (skipped) this.#set({ scale: Math.max(scale / 2, LEAST), good: 0 })
    else if (good + 1 >= this.#growthInterval) this.#set({ scale: Math.min(scale * 2, MOST), good: 0 })
    else this.#state.good++
    return skipped
  }

  #set(state: LossScalerState): void {
    this.#state = state
    this.scale.assign(Float32Array.of(state.scale))
  }

  /** For a checkpoint. */
  state(): LossScalerState {
    return { ...this.#state }
  }

  /**
   * Goes on from where a scaler stood.
   * @throws RangeError unless the scale is from 2^-24 to 2^24, and `good` a whole number; the scaler then stays as it was
   */
  loadState(state: LossScalerState): void {
    expectOptions('lossScaler', state)
    const { scale, good } = state
    checkScale('scale', scale)
    if (!(Number.isSafeInteger(good) && good >= 0)) {
      throw new RangeError(`lossScaler: expected a whole number of 0 or more for good but received ${inWords(good)}`)
    }
    this.#set({ scale, good })
  }

  /** Frees the scalars. */
  dispose(): void {
    for (const tensor of [this.scale, this.found, this.#none]) tensor.dispose()
  }
}

/** @throws RangeError */
function checkScale(name: string, value: number): void {
  if (typeof value === 'number' && value >= LEAST && value <= MOST) return
  throw new RangeError(`lossScaler: expected a number from 2^-24 to 2^24 for ${name} but received ${value}`)
}

/** Makes a LossScaler. @throws RangeError */
export function lossScaler(options: LossScalerOptions = {}): LossScaler {
  return new LossScaler(options)
}
