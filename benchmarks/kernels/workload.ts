/**
 * What is timed: one native function on one shape. A workload is made on a device with numbers that are the same on every
 * device, so that the results can be compared. Checked in test/benchmarks/kernels.test.ts.
 */
import { type Native, type NativeTensor, native } from '../../src/native.ts'
import { values } from '../rivals/values.ts'

export type Shape = readonly number[]

/** A workload on a device. */
export interface Made {
  /** What one run reads from memory, at least. */
  readonly reads: readonly NativeTensor[]
  /** What it overwrites; results that it makes come from `run`. */
  readonly updates?: readonly NativeTensor[]
  /** Enqueues the op once; gives the results, which the caller frees. */
  run(): NativeTensor[]
}

export interface Workload {
  /** The native function. */
  readonly native: keyof Native
  /** As in `conv2d`, and `forward`, `backwardInput`, `backwardWeight`, … */
  readonly op: string
  readonly direction: string
  /** The name of the shape, after that of its list: `networks/…` or `tests/…`. */
  readonly shape: string
  readonly batch: number
  /** Floating operations of a run. */
  flops(batch: number): number
  make(put: Put, batch: number): Made
}

/** Makes inputs on one device, each with other numbers. */
export class Put {
  readonly device: string
  readonly made: NativeTensor[] = []

  constructor(device: string) {
    this.device = device
  }

  /** Floats in [-0.5, 0.5). */
  floats(shape: Shape): NativeTensor {
    return this.#keep('f32', shape, values(elements(shape), this.made.length + 1))
  }

  /** Multiples of 1/8: behind the norm of `norm` none is so near to 0 that rounding decides on which side of a ReLU. */
  coarse(shape: Shape): NativeTensor {
    const exact = values(elements(shape), this.made.length + 1)
    return this.#keep(
      'f32',
      shape,
      exact.map(value => Math.round(8 * value) / 8),
    )
  }

  /** A norm [4, C]: mean 0, 1 by the deviation 1, gamma 1, beta 1/16. */
  norm(C: number): NativeTensor {
    const rows = [0, 1, 1, 1 / 16]
    return this.#keep(
      'f32',
      [4, C],
      Float32Array.from({ length: 4 * C }, (_, i) => rows[Math.floor(i / C)] as number),
    )
  }

  /** Classes 0..classes-1. */
  labels(count: number, classes: number): NativeTensor {
    const data = Int32Array.from({ length: count }, (_, i) => (7 * i) % classes)
    return this.#keep('i32', [count], data)
  }

  /** Takes over what the workload made itself. */
  keep(tensor: NativeTensor): NativeTensor {
    this.made.push(tensor)
    return tensor
  }

  dispose(): void {
    for (const tensor of this.made) native.tensorDispose(tensor)
  }

  #keep(dtype: string, shape: Shape, data: Float32Array | Int32Array): NativeTensor {
    return this.keep(native.tensorCreate({ device: this.device, dtype, shape }, data))
  }
}

export function elements(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1)
}

/** Height or width of what a window makes of an image. */
export function windows(
  size: number,
  kernel: number,
  { stride, padding }: { stride: number; padding: number },
): number {
  return Math.floor((size + 2 * padding - kernel) / stride) + 1
}
