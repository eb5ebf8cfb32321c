/**
 * What batch norm leaves undone until it is known who needs it: its result, which some ops make themselves as they read
 * its input, and the gradient of its input, likewise. Handles of native memory; what makes one of these hands shares of
 * its handles over. Checked in test/unit/deferred.test.ts and test/gradcheck/deferred.test.ts.
 */
import { InternalError } from './errors.ts'
import { type NativeTensor, native } from './native.ts'

/** A batch norm, and a ReLU behind it: [4, C] (mean, invStd, gamma, beta), see native/core/batch_norm2d.h. */
export interface Norm {
  rows: NativeTensor
  relu: boolean
}

/** The result of a batch norm that was not carried out: its input and the norm. */
export class DeferredNorm {
  readonly source: NativeTensor
  readonly norm: Norm

  /** Takes both handles over. */
  constructor(source: NativeTensor, norm: Norm) {
    this.source = source
    this.norm = norm
  }

  /** Carries the norm out and lets the handles go; keeps them when that fails. */
  carryOut(): NativeTensor {
    const y = native.batchNorm2dApply(this.source, this.norm.rows, { relu: this.norm.relu })
    this.dispose()
    return y
  }

  dispose(): void {
    native.tensorDispose(this.source)
    native.tensorDispose(this.norm.rows)
  }
}

/** A tensor that a deferred norm was given to: `handle` carries it out. */
interface Deferring {
  readonly disposed: boolean
  readonly handle: NativeTensor
}

let deferring: Set<Deferring> | undefined

/** Notes who defers a norm, for `carryingOut`. */
export function noteDeferring(tensor: Deferring): void {
  deferring?.add(tensor)
}

/** Runs `body`, then carries out what it deferred and did not dispose of. */
export function carryingOut<T>(body: () => T): T {
  const outer = deferring
  const made = new Set<Deferring>()
  deferring = made
  try {
    const result = body()
    for (const tensor of made) if (!tensor.disposed) void tensor.handle
    return result
  } finally {
    deferring = outer
  }
}

/** A gradient in a form that spares a pass to the rules that know it; every other receives what `carryOut` gives. */
export abstract class GradientForm {
  /** The plain gradient, handed over. This form is used up. */
  abstract carryOut(): NativeTensor
  abstract dispose(): void
}

/** The gradient of the input x of a batch norm, from that of its result: batchNorm2dBackwardInput, not carried out. */
export class NormGradient extends GradientForm {
  readonly dy: NativeTensor
  readonly x: NativeTensor
  readonly norm: Norm
  readonly dgamma: NativeTensor
  readonly dbeta: NativeTensor
  readonly training: boolean

  /** Takes all handles over. */
  constructor(parts: Pick<NormGradient, 'dy' | 'x' | 'norm' | 'dgamma' | 'dbeta' | 'training'>) {
    super()
    this.dy = parts.dy
    this.x = parts.x
    this.norm = parts.norm
    this.dgamma = parts.dgamma
    this.dbeta = parts.dbeta
    this.training = parts.training
  }

  carryOut(): NativeTensor {
    const { dy, x, norm, dgamma, dbeta, training } = this
    try {
      return native.batchNorm2dBackwardInput(dy, x, norm.rows, dgamma, dbeta, { relu: norm.relu, training })
    } finally {
      this.dispose()
    }
  }

  dispose(): void {
    for (const handle of [this.dy, this.x, this.norm.rows, this.dgamma, this.dbeta]) native.tensorDispose(handle)
  }
}

/** The sum of two gradients of one tensor that was not carried out. */
export class GradientSum extends GradientForm {
  readonly a: NativeTensor
  readonly b: NativeTensor

  /** Takes both handles over. */
  constructor(a: NativeTensor, b: NativeTensor) {
    super()
    this.a = a
    this.b = b
  }

  carryOut(): NativeTensor {
    try {
      return native.addForward(this.a, this.b)
    } finally {
      this.dispose()
    }
  }

  dispose(): void {
    native.tensorDispose(this.a)
    native.tensorDispose(this.b)
  }
}

/** The sum under a ReLU whose result an op used last: it may bring the gradient of the sum's sides. See `Node.sum`. */
export interface ReluSum {
  /** The gradient of the result from everybody else. */
  more: NativeTensor
  /** A side that has a norm without a ReLU, and that norm. */
  side?: NativeTensor | undefined
  sideNorm?: NativeTensor | undefined
}

/** The gradient of both sides of such a sum, complete, with the sums of the norm of its side. For the rule of addRelu. */
export class SidesGradient extends GradientForm {
  readonly dv: NativeTensor
  readonly dgamma: NativeTensor | undefined
  readonly dbeta: NativeTensor | undefined

  /** Takes all handles over. */
  constructor(dv: NativeTensor, dgamma?: NativeTensor, dbeta?: NativeTensor) {
    super()
    this.dv = dv
    this.dgamma = dgamma
    this.dbeta = dbeta
  }

  carryOut(): NativeTensor {
    throw new InternalError('backward: the gradient of the sides of a sum reached another op than addRelu')
  }

  dispose(): void {
    for (const handle of [this.dv, this.dgamma, this.dbeta]) if (handle) native.tensorDispose(handle)
  }
}

/**
 * The gradient of the result of a batch norm, with the norm's own sums dgamma and dbeta: from the only op that used the
 * result. Without the sums it is still a gradient. Where the norm's ReLU is 0 it is 0 already.
 */
export class SummedGradient extends GradientForm {
  readonly dy: NativeTensor
  readonly dgamma: NativeTensor
  readonly dbeta: NativeTensor

  /** Takes all handles over. */
  constructor(dy: NativeTensor, dgamma: NativeTensor, dbeta: NativeTensor) {
    super()
    this.dy = dy
    this.dgamma = dgamma
    this.dbeta = dbeta
  }

  carryOut(): NativeTensor {
    native.tensorDispose(this.dgamma)
    native.tensorDispose(this.dbeta)
    return this.dy
  }

  dispose(): void {
    native.tensorDispose(this.carryOut())
  }
}

/** What a rule gives for its first input: with the sums of that one's norm, or through the sum that it is. */
export function inputGradient(
  dx: NativeTensor,
  gamma: NativeTensor | undefined,
  beta: NativeTensor | undefined,
  sum: ReluSum | undefined,
): NativeTensor | SidesGradient | SummedGradient {
  if (sum !== undefined) return new SidesGradient(dx, gamma, beta)
  return gamma && beta ? new SummedGradient(dx, gamma, beta) : dx
}
