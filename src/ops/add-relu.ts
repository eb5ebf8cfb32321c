/** addRelu: y = max(a + b, 0). Checked in test/kernels/elementwise.test.ts and test/gradcheck. */
import { GradientSum, SidesGradient, SummedGradient } from '../deferred.ts'
import { type NativeTensor, native } from '../native.ts'
import { expectTensor, type FloatDType, type Shape, type Tensor } from '../tensor.ts'
import type { FitsTensor, FloatTensor } from './fits.ts'
import { at, record, type SavedTensors } from './record.ts'

/** The tape frees the gradient behind the rule. */
const OVER_DY = { overwriteDy: true }

/**
 * relu(add(a, b)) in one pass: the end of a residual unit. Same shape, dtype and device.
 * @throws ShapeError, DTypeError, DeviceError, UnsupportedError (f64 on a device other than reference)
 */
export function addRelu<S extends Shape, D extends FloatDType, B extends FloatTensor>(
  a: Tensor<S, D>,
  b: B & FitsTensor<S, D, B>,
): Tensor<S, D> {
  expectTensor('addRelu', 'a', a)
  expectTensor('addRelu', 'b', b)
  const [left, right] = [a.deferred, b.deferred] // norms that a and b wait for are applied on the way
  const y = native.addReluForward(
    left?.source ?? a.handle,
    right?.source ?? b.handle,
    { aRelu: left?.norm.relu ?? false, bRelu: right?.norm.relu ?? false },
    left?.norm.rows,
    right?.norm.rows,
  )
  // A side whose norm has no ReLU: the rule brings that norm's own sums.
  const side = [a, b].findIndex(({ deferred, edge }) => edge !== undefined && deferred?.norm.relu === false)
  const normed = [left, right][side]
  const shared = normed === undefined ? [y] : [y, normed.source, normed.norm.rows]
  const rule = (dy: NativeTensor | GradientSum | SidesGradient, saved: SavedTensors, needs: readonly boolean[]) => {
    const { dv, gamma, beta } = dy instanceof SidesGradient ? shares(dy) : masked(dy, saved)
    const gradients = needs.map((needed, i) => {
      if (!needed) return undefined
      const gradient = native.tensorRetain(dv)
      return i === side && gamma && beta ? new SummedGradient(gradient, gamma, beta) : gradient
    })
    native.tensorDispose(dv)
    return gradients
  }
  return record<S, D, GradientSum>('addRelu', [a, b], y, { shared }, rule, GradientSum, true)
}

function masked(dy: NativeTensor | GradientSum, saved: SavedTensors) {
  const [first, more] = dy instanceof GradientSum ? [dy.a, dy.b] : [dy, undefined]
  return native.addReluBackward(first, at(saved, 0), OVER_DY, more, saved[1], saved[2])
}

function shares({ dv, dgamma, dbeta }: SidesGradient) {
  const share = (handle: NativeTensor | undefined) => handle && native.tensorRetain(handle)
  return { dv: native.tensorRetain(dv), gamma: share(dgamma), beta: share(dbeta) }
}
