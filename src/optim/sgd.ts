/** Stochastic gradient descent. Checked in test/unit/sgd.test.ts and, over ten steps, in test/golden. */
import { DataError, ShapeError } from '../errors.ts'
import { type GradientScale, type SgdParameter, sgdStep } from '../ops/sgd-step.ts'
import { expectTensor, type Tensor, untracked, zeros } from '../tensor.ts'
import { expectOptions, inWords } from '../values.ts'

/** The numbers of a step of SGD. */
export interface SgdOptions {
  /** Learning rate. */
  lr: number
  /** Default: 0. */
  momentum?: number
  /** Default: false. */
  nesterov?: boolean
  /** Times the parameter, added to its gradient; on every parameter, as in the authors' scripts. Default: 0. */
  weightDecay?: number
}

/**
 * `d = grad + weightDecay w; v = momentum v + d; w -= lr (nesterov ? d + momentum v : v)`, v from 0: MXNet's NAG and
 * PyTorch's SGD.
 */
export class Sgd {
  /** May be set between steps, by a schedule for example. */
  lr: number
  readonly momentum: number
  readonly nesterov: boolean
  readonly weightDecay: number
  readonly #parameters: readonly Tensor[]
  readonly #velocities: readonly Tensor[]
  /** The parameters and velocities of each device and dtype, which nearly always are one. */
  readonly #alike: readonly Pick<SgdParameter, 'w' | 'v'>[][]

  /** @throws RangeError for a parameter that is there twice or is the result of an op, and for options below 0, TypeError */
  constructor(parameters: readonly Tensor[], options: SgdOptions) {
    expectOptions('sgd', options)
    const { lr, momentum = 0, nesterov = false, weightDecay = 0 } = options
    for (const [name, value] of Object.entries({ lr, momentum, weightDecay })) {
      if (!(Number.isFinite(value) && value >= 0)) {
        throw new RangeError(`sgd: expected a number of 0 or more for ${name} but received ${inWords(value)}`)
      }
    }
    const twice = parameters.findIndex((parameter, i) => parameters.indexOf(parameter) !== i)
    if (twice >= 0) throw new RangeError(`sgd: expected every parameter once but received number ${twice} again`)
    for (const [i, parameter] of parameters.entries()) expectTensor('sgd', `parameter ${i}`, parameter)
    const derived = parameters.findIndex(parameter => !parameter.isLeaf)
    if (derived >= 0) throw new RangeError(`sgd: expected leaves but received the result of an op as number ${derived}`)
    this.lr = lr
    this.momentum = momentum
    this.nesterov = nesterov
    this.weightDecay = weightDecay
    this.#parameters = [...parameters]
    this.#velocities = parameters.map(({ shape, dtype, device }) => untracked(() => zeros(shape, { dtype, device })))
    const kinds = new Map<string, Pick<SgdParameter, 'w' | 'v'>[]>()
    for (const [i, w] of parameters.entries()) {
      const kind = `${w.device} ${w.dtype}`
      kinds.set(kind, [...(kinds.get(kind) ?? []), { w, v: this.#velocities[i] as Tensor }])
    }
    this.#alike = [...kinds.values()]
  }

  /** The gradients there are. */
  gradients(): Tensor[] {
    return this.#parameters.flatMap(({ grad }) => (grad === undefined ? [] : [grad]))
  }

  /**
   * Updates every parameter that has a gradient, then frees the gradients. When one was disposed of nothing is updated.
   * @param scaling of a LossScaler: gradients are divided by the scale, and nothing is updated when one is not finite
   * @throws DisposedError, RangeError, ShapeError, DTypeError, DeviceError, TypeError
   */
  step(scaling?: GradientScale): void {
    const { lr, momentum, nesterov, weightDecay } = this
    const updates = this.#alike.map(alike => alike.flatMap(({ w, v }) => (w.grad ? [{ g: w.grad, w, v }] : [])))
    for (const { g, w, v } of updates.flat()) for (const part of [g, w, v]) void part.handle // throws before any update
    for (const updated of updates) {
      sgdStep(updated, { lr, momentum, nesterov, weightDecay }, scaling)
    }
    this.zeroGrad()
  }

  /** Frees the gradients without a step. */
  zeroGrad(): void {
    for (const parameter of this.#parameters) {
      parameter.grad?.dispose()
      parameter.grad = undefined
    }
  }

  /** The velocities in the order of the parameters: the tensors themselves. */
  state(): readonly Tensor[] {
    return this.#velocities
  }

  /** Overwrites the velocities. @throws DataError unless there is one for every parameter, ShapeError; nothing was changed then */
  loadState(velocities: readonly Tensor[]): void {
    if (velocities.length !== this.#velocities.length) {
      throw new DataError(`sgd: expected ${this.#velocities.length} velocities but received ${velocities.length}`)
    }
    const pairs = this.#velocities.map((velocity, i) => [velocity, velocities[i] as Tensor] as const)
    for (const [i, [velocity, source]] of pairs.entries()) {
      const [expected, received] = [String(velocity), String(source)]
      if (expected !== received)
        throw new ShapeError(`sgd: expected velocity ${i} ${expected} but received ${received}`)
    }
    for (const [velocity, source] of pairs) velocity.assign(source)
  }

  /** Frees the velocities. */
  dispose(): void {
    for (const velocity of this.#velocities) velocity.dispose()
  }
}

/** Makes an Sgd. */
export function sgd(parameters: readonly Tensor[], options: SgdOptions): Sgd {
  return new Sgd(parameters, options)
}
