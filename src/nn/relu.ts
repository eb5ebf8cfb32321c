/** The rectifier as a layer, for Sequential. */
import { type FloatTensor, relu } from '../ops/index.ts'
import { Module } from './module.ts'

/** max(x, 0), any shape. */
export class ReLU<T extends FloatTensor = FloatTensor> extends Module<T, T> {
  forward(x: T): T {
    return relu(x) as T
  }
}
