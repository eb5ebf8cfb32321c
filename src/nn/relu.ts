/** The rectifiers as layers, for Sequential. Their ops are checked in test/kernels/elementwise.test.ts. */
import { type FloatTensor, relu, relu6 } from '../ops/index.ts'
import { Module } from './module.ts'

/** max(x, 0), any shape. */
export class ReLU extends Module<FloatTensor, FloatTensor> {
  forward<T extends FloatTensor>(x: T): T {
    return relu(x as FloatTensor) as T
  }
}

/** min(max(x, 0), 6), any shape. */
export class ReLU6 extends Module<FloatTensor, FloatTensor> {
  forward<T extends FloatTensor>(x: T): T {
    return relu6(x as FloatTensor) as T
  }
}
