/** addRelu: y = max(a + b, 0). Checked in test/kernels/elementwise.test.ts and test/gradcheck. */
import { native } from '../native.ts'
import type { FloatDType, Shape, Tensor } from '../tensor.ts'
import type { FitsTensor, FloatTensor } from './fits.ts'
import { at, record } from './record.ts'

/**
 * relu(add(a, b)) in one pass: the end of a residual unit. Same shape, dtype and device.
 * @throws ShapeError, DTypeError, DeviceError
 */
export function addRelu<S extends Shape, D extends FloatDType, B extends FloatTensor>(
  a: Tensor<S, D>,
  b: B & FitsTensor<S, D, B>,
): Tensor<S, D> {
  const [left, right] = [a.deferred, b.deferred] // norms that a and b wait for are applied on the way
  const y = native.addReluForward(
    left?.source ?? a.handle,
    right?.source ?? b.handle,
    { aRelu: left?.norm.relu ?? false, bRelu: right?.norm.relu ?? false },
    left?.norm.rows,
    right?.norm.rows,
  )
  return record('addRelu', [a, b], y, { shared: [y] }, (dy, saved, needs) => {
    const masked = native.reluBackwardInput(dy, at(saved, 0))
    const gradients = needs.map(needed => (needed ? native.tensorRetain(masked) : undefined))
    native.tensorDispose(masked)
    return gradients
  })
}
