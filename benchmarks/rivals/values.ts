/**
 * The numbers that all contestants compute with: a function of seed and position, the same here and in torch_values.py,
 * so that their results can be compared. Checked in test/benchmarks/rivals.test.ts.
 */
import type { State } from '../../src/nn/index.ts'

/** Numbers in [-0.5, 0.5): the position's hash (the end of MurmurHash3), exact in f32. */
export function values(count: number, seed: number): Float32Array<ArrayBuffer> {
  const data = new Float32Array(count)
  for (let i = 0; i < count; i++) {
    let hash = Math.imul(i + Math.imul(seed, 0x9e3779b9), 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35)
    hash = Math.imul(hash ^ (hash >>> 13), 0x27d4eb2f)
    data[i] = ((hash ^ (hash >>> 16)) >>> 8) / 2 ** 24 - 0.5
  }
  return data
}

/** A class for each image. */
export function labels(count: number, classes: number): Int32Array<ArrayBuffer> {
  return Int32Array.from({ length: count }, (_, i) => (7 * i) % classes)
}

/** Weights of all convolutions and of the linear layer, with variance 2 / fan-in; all else stays as it is. */
export function setWeights(state: State): void {
  const weights = Object.entries(state).filter(([, { shape }]) => shape.length > 1)
  weights.sort(([a], [b]) => (a < b ? -1 : 1))
  for (const [i, [, weight]] of weights.entries()) {
    const fanIn = weight.size / (weight.shape[0] as number)
    const scale = Math.fround(Math.sqrt(24 / fanIn)) // a uniform number in [-0.5, 0.5) has variance 1/12
    weight.assign(values(weight.size, i + 10).map(value => value * scale))
  }
}

const PROBES = 97

/** Some numbers of a long result, evenly spread. */
export function probe(data: ArrayLike<number>): number[] {
  const stride = Math.max(1, Math.floor(data.length / PROBES))
  return Array.from({ length: Math.ceil(data.length / stride) }, (_, i) => data[i * stride] as number)
}
