/** linear: y = x w^T + b. Checked in test/kernels/linear.test.ts, test/gradcheck, test/golden. */
import { native } from '../native.ts'
import { type FloatDType, handleOf, type ParameterOf, type Tensor } from '../tensor.ts'
import type { FitsTensor, FloatMatrix, FloatVector } from './fits.ts'
import { at, record } from './record.ts'
import { widened } from './widened.ts'

/**
 * The fully connected layer.
 * @param x [N, C]; bf16 and f16 are computed with as f32, and so is the result
 * @param w [K, C]
 * @param b [K], or nothing
 * @returns [N, K]
 * @throws ShapeError, DTypeError, DeviceError, UnsupportedError (f64 on a device other than reference)
 */
export function linear<
  N extends number,
  C extends number,
  D extends FloatDType,
  W extends FloatMatrix,
  B extends FloatVector,
>(
  x: Tensor<readonly [N, C], D>,
  w: W & FitsTensor<readonly [number, C], ParameterOf<D>, W>,
  b?: B & FitsTensor<readonly [W['shape'][0]], ParameterOf<D>, B>,
): Tensor<readonly [N, W['shape'][0]], ParameterOf<D>> {
  const input = widened('linear', 'x', x)
  const [xh, wh] = [input.handle, handleOf('linear', 'w', w)]
  const y = native.linearForward(xh, wh, b === undefined ? undefined : handleOf('linear', 'b', b))
  const inputs = b === undefined ? [input, w] : [input, w, b]
  return record('linear', inputs, y, { shared: [w.edge && xh, x.edge && wh] }, (dy, saved, needs) => {
    const dx = needs[0] ? native.linearBackwardInput(dy, at(saved, 1)) : undefined
    const dw = needs[1] ? native.linearBackwardWeight(dy, at(saved, 0)) : undefined
    return b === undefined ? [dx, dw] : [dx, dw, needs[2] ? native.linearBackwardBias(dy) : undefined]
  })
}
