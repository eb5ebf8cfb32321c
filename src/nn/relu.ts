/** The rectifier as a layer, for Sequential. */
import { type FloatTensor, relu } from '../ops/index.ts'
import { Module } from './module.ts'

/** max(x, 0), any shape. */
export class ReLU extends Module<FloatTensor, FloatTensor> {
  forward<T extends FloatTensor>(x: T): T {
    return relu(x as FloatTensor) as T
  }
}
