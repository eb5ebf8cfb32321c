/**
 * Reads the golden files that generate.py wrote: numbers of a PyTorch twin in float64. How they were made, and the
 * format, stands there.
 */
import { readFileSync } from 'node:fs'

/** A row-major array; `values` are exact, whatever the stored element type. */
export interface GoldenArray {
  readonly shape: readonly number[]
  readonly values: Float64Array
}

export type GoldenState = ReadonlyMap<string, GoldenArray>

export interface NetworkOptions {
  readonly depth: number
  readonly classes: number
  /** Regular networks. */
  readonly width?: number
  /** IGC networks. */
  readonly primaryPartitions?: number
  readonly secondaryPartitions?: number
  /** resnet_igc. */
  readonly quirk?: boolean
}

export type NetworkName = 'plain' | 'plain_igc' | 'resnet' | 'resnet_igc'

export interface GoldenNetwork {
  readonly network: NetworkName
  readonly options: NetworkOptions
  readonly sgd: { lr: number; momentum: number; nesterov: boolean; weightDecay: number }
  /** [steps, N, H, W, 3], already scaled: (pixel - 128) / 64. */
  readonly images: GoldenArray
  /** [steps, N] */
  readonly labels: GoldenArray
  readonly initialState: GoldenState
  /** Of the first step, in training mode. */
  readonly logits: GoldenArray
  readonly gradients: GoldenState
  /** After the first forward pass. */
  readonly runningStatistics: GoldenState
  /** Of the first batch in inference mode, after the first forward pass and before the first update. */
  readonly inferenceLogits: GoldenArray
  /** [steps] */
  readonly losses: GoldenArray
  /** After the last step. */
  readonly finalState: GoldenState
  readonly finalInferenceLogits: GoldenArray
}

/** One operator, forward and backward; names as in operators.py. */
export interface OperatorCase {
  readonly op: string
  readonly params: Readonly<Record<string, number | boolean>>
  readonly inputs: GoldenState
  readonly outputs: GoldenState
}

interface StoredArray {
  readonly dtype: 'f64' | 'f32' | 'u8' | 'i32'
  readonly shape: number[]
  readonly data: string
}

const ELEMENTS = { f64: Float64Array, f32: Float32Array, u8: Uint8Array, i32: Int32Array }

function decode({ dtype, shape, data }: StoredArray): GoldenArray {
  const bytes = Uint8Array.from(Buffer.from(data, 'base64'))
  const values = Float64Array.from(new ELEMENTS[dtype](bytes.buffer))
  const elements = shape.reduce((product, size) => product * size, 1)
  if (values.length !== elements) throw new Error(`expected ${elements} elements but received ${values.length}`)
  return { shape, values }
}

function decodeState(stored: Record<string, StoredArray>): GoldenState {
  return new Map(Object.entries(stored).map(([name, array]) => [name, decode(array)]))
}

function readJson(name: string) {
  return JSON.parse(readFileSync(new URL(`${name}.json`, import.meta.url), 'utf8'))
}

export function readNetwork(name: string): GoldenNetwork {
  const file = readJson(name)
  const pixels = decode(file.pixels)
  return {
    network: file.network,
    options: file.options,
    sgd: file.sgd,
    images: { shape: pixels.shape, values: pixels.values.map(pixel => (pixel - 128) / 64) },
    labels: decode(file.labels),
    initialState: decodeState(file.initialState),
    logits: decode(file.logits),
    gradients: decodeState(file.gradients),
    runningStatistics: decodeState(file.runningStatistics),
    inferenceLogits: decode(file.inferenceLogits),
    losses: decode(file.losses),
    finalState: decodeState(file.finalState),
    finalInferenceLogits: decode(file.finalInferenceLogits),
  }
}

export function readOperators(): OperatorCase[] {
  type Stored = { op: string; params: OperatorCase['params'] } & Record<
    'inputs' | 'outputs',
    Record<string, StoredArray>
  >
  return readJson('operators').cases.map(({ op, params, inputs, outputs }: Stored) => {
    return { op, params, inputs: decodeState(inputs), outputs: decodeState(outputs) }
  })
}

/** One entry of an array with a leading dimension: `at(images, 3)` is the fourth batch. */
export function at({ shape, values }: GoldenArray, index: number): GoldenArray {
  const inner = shape.slice(1)
  const length = inner.reduce((product, size) => product * size, 1)
  return { shape: inner, values: values.slice(index * length, (index + 1) * length) }
}

/** max|actual - expected| / max|expected|; infinite for NaN and for another number of elements. */
export function distance(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY
  let difference = 0
  let largest = 0
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs((actual[i] as number) - (expected[i] as number))
    if (Number.isNaN(error)) return Number.POSITIVE_INFINITY
    difference = Math.max(difference, error)
    largest = Math.max(largest, Math.abs(expected[i] as number))
  }
  return difference === 0 ? 0 : difference / largest
}
