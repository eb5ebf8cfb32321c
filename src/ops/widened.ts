/**
 * @internal For the ops behind the maps (linear, softmax, crossEntropy), which compute in f32 whatever the maps are stored
 * in. Checked in test/cuda/simt-half.test.ts.
 */
import { native } from '../native.ts'
import { expectTensor, type FloatDType, isHalf, type ParameterOf, type Shape, type Tensor } from '../tensor.ts'
import { record } from './record.ts'

/** x in f32 when it is bf16 or f16, with its gradient; else x itself. */
export function widened<S extends Shape, D extends FloatDType>(
  op: string,
  name: string,
  x: Tensor<S, D>,
): Tensor<S, ParameterOf<D>> {
  expectTensor(op, name, x)
  const { dtype } = x
  if (!isHalf(dtype)) return x as unknown as Tensor<S, ParameterOf<D>>
  const wide = native.cast(x.handle, { dtype: 'f32' })
  return record('cast', [x as unknown as Tensor], wide, {}, dy => [native.cast(dy, { dtype })])
}
