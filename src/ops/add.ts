/** add: y = a + b. Checked in test/kernels/elementwise.test.ts and test/gradcheck. */
import { native } from '../native.ts'
import { type FloatDType, handleOf, type Shape, type Tensor } from '../tensor.ts'
import type { FitsTensor, FloatTensor } from './fits.ts'
import { record } from './record.ts'

/**
 * The sum of two tensors of the same shape, dtype and device.
 * @throws ShapeError, DTypeError, DeviceError, UnsupportedError (f64 on a device other than reference)
 */
export function add<S extends Shape, D extends FloatDType, B extends FloatTensor>(
  a: Tensor<S, D>,
  b: B & FitsTensor<S, D, B>,
): Tensor<S, D> {
  return record(
    'add',
    [a, b],
    native.addForward(handleOf('add', 'a', a), handleOf('add', 'b', b)),
    {},
    (dy, _, needs) => needs.map(needed => (needed ? native.tensorRetain(dy) : undefined)),
  )
}
