/**
 * Gradients against finite differences: the vector-Jacobian product that `backward` gives, with a random gradient of
 * the output, against central differences of sum(g * y), in f64 on `reference`. The checker itself is checked with
 * wrong rules in test/gradcheck/gradcheck.test.ts.
 */
import { noGrad } from '../../src/autograd.ts'
import { type FloatTensor, Generator } from '../../src/ops/index.ts'
import { scope } from '../../src/scope.ts'
import { type Shape, type Tensor, tensor } from '../../src/tensor.ts'

export interface GradcheckOptions {
  /** Half the distance of the two points of a difference. Default: 1e-6. */
  eps?: number
  /** Largest error of an entry, relative to the largest entry of that gradient. Default: 2e-8. */
  tolerance?: number
  /** Entries of every input that are checked, spread over it. Default: all. */
  entries?: number
  /** Also ask for the gradient of each input alone, which must be the same bits. Default: true. */
  alone?: boolean
}

const place = { dtype: 'f64', device: 'reference' } as const

/** Normally distributed f64 values on `reference`. */
export function normal<const S extends Shape>(shape: S, seed: number): Tensor<S, 'f64'> {
  return new Generator(seed).normal(shape, place)
}

/** Values of at least 0.1 on both sides of zero: a finite difference does not cross the kink of relu. */
export function awayFromZero<const S extends Shape>(shape: S, seed: number): Tensor<S, 'f64'> {
  const values = normal([shape.reduce((product, size) => product * size, 1)], seed).dataSync()
  return tensor(
    values.map(value => value + 0.1 * Math.sign(value)),
    shape,
    place,
  )
}

/** Values in random order, 0.01 apart from each other: no two are equal in a window, and a difference changes no order. */
export function distinct<const S extends Shape>(shape: S, seed: number): Tensor<S, 'f64'> {
  const random = new Generator(seed).uniform([shape.reduce((product, size) => product * size, 1)], place).dataSync()
  const order = Array.from(random.keys()).sort((a, b) => (random[a] as number) - (random[b] as number))
  const values = new Float64Array(order.length)
  order.forEach((index, rank) => {
    values[index] = 0.01 * (rank - order.length / 2)
  })
  return tensor(values, shape, place)
}

/**
 * Compares the gradients of `f` by every tensor of `inputs`, which must be f64 leaves on `reference`. `f` may read other
 * tensors too, and must give the same result for the same inputs.
 * @throws Error naming the input and the entry that is worst, or an input whose gradient is zero everywhere
 */
export function gradcheck<const T extends readonly FloatTensor[]>(
  f: (...inputs: T) => FloatTensor,
  inputs: T,
  options: GradcheckOptions = {},
): void {
  const { eps = 1e-6, tolerance = 2e-8, entries = Number.POSITIVE_INFINITY, alone = true } = options
  using _ = scope()
  const g = noGrad(() => normal(f(...inputs).shape, 97))
  const analytic = gradients(f, inputs, g, () => true)
  inputs.forEach((input, i) => {
    const numeric = differences(() => weightedSum(f(...inputs), g), input, entries, eps)
    compare(`input ${i} [${input.shape}]`, analytic[i] as Float64Array, numeric, tolerance)
    if (!alone) return
    const only = gradients(f, inputs, g, j => j === i)[i] as Float64Array
    if (only.some((value, k) => !Object.is(value, analytic[i]?.[k]))) {
      throw new Error(`gradcheck: input ${i} alone has another gradient than with the other inputs`)
    }
  })
}

/** The gradients of sum(g * f(inputs)) by those inputs that are `wanted`. */
function gradients<T extends readonly FloatTensor[]>(
  f: (...inputs: T) => FloatTensor,
  inputs: T,
  g: FloatTensor,
  wanted: (i: number) => boolean,
): (Float64Array | undefined)[] {
  inputs.forEach((input, i) => {
    input.requiresGrad = wanted(i)
    input.grad?.dispose()
    input.grad = undefined
  })
  f(...inputs).backward(g)
  return inputs.map(input => {
    const values = input.grad?.dataSync()
    input.grad?.dispose()
    input.grad = undefined
    return values as Float64Array | undefined
  })
}

/** Central differences of `value` by entries of `input`: a map from their positions. */
function differences(value: () => number, input: FloatTensor, entries: number, eps: number): Map<number, number> {
  const original = input.dataSync()
  const changed = original.slice()
  const at = (k: number, x: number): number => {
    changed[k] = x
    input.assign(changed)
    return noGrad(value)
  }
  const result = new Map<number, number>()
  const step = Math.max(1, original.length / entries)
  for (let n = 0; Math.floor(n * step) < original.length; n++) {
    const k = Math.floor(n * step)
    const x = original[k] as number
    result.set(k, (at(k, x + eps) - at(k, x - eps)) / (2 * eps))
    changed[k] = x
  }
  input.assign(original)
  return result
}

function weightedSum(y: FloatTensor, g: FloatTensor): number {
  using _ = y
  const weights = g.dataSync()
  let sum = 0
  for (const [i, value] of y.dataSync().entries()) sum += value * (weights[i] as number)
  return sum
}

function compare(name: string, analytic: Float64Array, numeric: Map<number, number>, tolerance: number): void {
  let scale = 0
  for (const value of analytic) scale = Math.max(scale, Math.abs(value))
  if (!(scale > 0)) throw new Error(`gradcheck: ${name} has a gradient of zeros`)
  for (const [k, expected] of numeric) {
    const received = analytic[k] as number
    if (!(Math.abs(received - expected) <= tolerance * scale)) {
      throw new Error(`gradcheck: ${name} at ${k}: differences give ${expected} but backward gave ${received}`)
    }
  }
}
