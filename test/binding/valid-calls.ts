/**
 * For every function of the native addon: the name that begins its errors, and arguments that it takes. The tests of
 * the border (fuzz.ts) call with these, which must succeed, and with what becomes of them when something is replaced.
 */
import * as errors from '../../src/errors.ts'
import type { Native, NativeRecording, NativeTensor, TypedArray } from '../../src/native.ts'

export type Device = 'cpu' | 'reference'
export type DType = 'f32' | 'f64' | 'i32' | 'u8' | 'bf16' | 'f16'

/** Small sizes from which the arguments are made; all 1 or more. */
export interface Sizes {
  device: Device
  /** The floating dtype of the call. */
  dtype: 'f32' | 'f64'
  batch: number
  height: number
  width: number
  /** Channels per group, in and out. */
  channels: number
  outChannels: number
  groups: number
  kernel: number
  stride: number
  padding: number
}

/** Makes tensors and remembers them. */
export class Maker {
  readonly native: Native
  readonly sizes: Sizes
  readonly made: NativeTensor[] = []
  readonly recordings: NativeRecording[] = []

  constructor(native: Native, sizes: Sizes) {
    this.native = native
    this.sizes = sizes
  }

  /** With values from 0 to 1, on the device and of the dtype of the call unless told otherwise. */
  tensor(shape: readonly number[], dtype: DType = this.sizes.dtype, device: Device = this.sizes.device): NativeTensor {
    const length = shape.reduce((product, size) => product * size, 1)
    const half = Uint16Array // the bits
    const arrays = { f32: Float32Array, f64: Float64Array, i32: Int32Array, u8: Uint8Array, bf16: half, f16: half }
    const data: TypedArray = new arrays[dtype](length).map((_, i) => (i * 7 + 3) % 2)
    const tensor = this.native.tensorCreate({ device, dtype, shape }, data)
    this.made.push(tensor)
    return tensor
  }

  /** Of one operation. */
  recording(): NativeRecording {
    const x = this.tensor([2, 3])
    this.native.recordBegin(this.sizes.device)
    this.native.fill(x, { value: 2 })
    const { recording } = this.native.recordEnd(this.sizes.device)
    this.recordings.push(recording as NativeRecording)
    return recording as NativeRecording
  }

  /** Frees what was made, and ends a recording under way. */
  clear(): void {
    for (const handle of this.made) this.native.tensorDispose(handle)
    for (const device of ['cpu', 'reference']) {
      try {
        const { recording } = this.native.recordEnd(device)
        if (recording !== undefined) this.recordings.push(recording)
      } catch {} // there is none
    }
    for (const recording of this.recordings) this.native.recordDispose(recording)
  }
}

type Arguments = (make: Maker, sizes: Sizes) => unknown[]

/** [N, H, W, C] of an image and what a window of `kernel` makes of it. */
function image({ batch, height, width, channels, groups, kernel, stride, padding, outChannels }: Sizes) {
  const [h, w] = [height + kernel, width + kernel]
  const count = (size: number) => Math.floor((size + 2 * padding - kernel) / stride) + 1
  const c = channels * groups
  const k = outChannels * groups
  return {
    x: [batch, h, w, c],
    pooled: [batch, count(h), count(w), c],
    convolved: [batch, count(h), count(w), k],
    weight: [k, kernel, kernel, channels],
    secondary: [k, 1, 1, k],
    c,
  }
}

const conv = ({ stride, padding, groups }: Sizes) => ({ stride, padding, groups })
const igc = ({ stride, padding, groups }: Sizes) => ({
  primaryPartitions: groups,
  secondaryPartitions: 1,
  stride,
  padding,
})
// The padding of a pool is at most half its kernel.
const poolSizes = (sizes: Sizes): Sizes => ({ ...sizes, padding: Math.min(sizes.padding, sizes.kernel >> 1) })
const pool = (sizes: Sizes) => {
  const { kernel, stride, padding } = poolSizes(sizes)
  return { kernel, stride, padding }
}
const norm = () => ({ training: true, momentum: 0.9, epsilon: 2e-5 })
const random = ({ device, dtype, batch, channels }: Sizes) => ({
  ...{ device, dtype, shape: [batch, channels], seed: 1, offset: 0, a: 0, b: 1 },
})
const any: Arguments = (make, { batch, channels }) => [make.tensor([batch, channels])]
const twice: Arguments = (make, { batch, channels }) => [make.tensor([batch, channels]), make.tensor([batch, channels])]

/** [the name in errors, the arguments] */
export const validCalls: Record<keyof Native, [string, Arguments]> = {
  setErrorClasses: ['setErrorClasses', () => [{ ...errors }]],
  setDeviceLoader: ['setDeviceLoader', () => [() => ({ name: 'cpu' })]],
  pluginProbe: ['pluginProbe', () => [{ plugin: 'no-such-plug-in.so', ordinal: 0 }]],

  tensorCreate: [
    'tensor',
    (_, { device, dtype, batch, channels }) => [
      { device, dtype, shape: [batch, channels] },
      dtype === 'f32' ? new Float32Array(batch * channels) : new Float64Array(batch * channels),
    ],
  ],
  tensorAssign: [
    'assign',
    (make, s) => {
      const length = s.batch * s.channels
      return [...any(make, s), s.dtype === 'f32' ? new Float32Array(length) : new Float64Array(length)]
    },
  ],
  tensorRead: ['data', any],
  tensorReadSync: ['dataSync', any],
  tensorReshape: ['reshape', (make, s) => [...any(make, s), { shape: [s.channels, 1, s.batch] }]],
  tensorRetain: ['tensor', any],
  tensorDispose: ['dispose', any],
  tensorInfo: ['tensor', any],
  tensorUpdates: ['tensor', any],
  tensorShared: ['tensor', any],

  recordBegin: ['record', (_, { device }) => [device]],
  recordEnd: [
    'record',
    (make, { device }) => {
      make.native.recordBegin(device)
      return [device]
    },
  ],
  recordReplay: ['replay', make => [make.recording()]],
  recordDispose: ['dispose', make => [make.recording()]],

  deviceSynchronize: ['synchronize', (_, { device }) => [device]],
  deviceTrim: ['trim', (_, { device }) => [device]],
  deviceMemory: ['memory', (_, { device }) => [device]],
  deviceInfo: ['info', (_, { device }) => [device]],
  deviceSetThreads: ['setThreads', (_, { device, groups }) => [device, { threads: groups }]],

  fill: ['fill', (make, s) => [...any(make, s), { value: 1.5 }]],
  copyInto: ['copy', twice],
  cast: ['cast', (make, s) => [...any(make, s), { dtype: 'i32' }]],
  randomUniform: ['randomUniform', (_, s) => [random(s)]],
  randomNormal: ['randomNormal', (_, s) => [random(s)]],

  addForward: ['add', twice],
  addReluForward: [
    'addRelu',
    (make, s) => {
      const norms = [1, 2].map(() => make.tensor([4, s.channels]))
      return [...twice(make, s), { aRelu: s.batch > 1, bRelu: s.width > 1 }, ...norms]
    },
  ],
  addReluBackward: [
    'addRelu',
    (make, s) => {
      const p = { overwriteDy: s.batch > 1 }
      return [...twice(make, s), p, ...twice(make, s), make.tensor([4, s.channels])]
    },
  ],
  reluForward: ['relu', any],
  reluBackwardInput: ['relu', twice],
  relu6Forward: ['relu6', any],
  relu6BackwardInput: ['relu6', twice],
  dropoutForward: ['dropout', (make, s) => [...any(make, s), { rate: 0.25, seed: s.width, offset: s.height }]],
  dropoutBackwardInput: ['dropout', (make, s) => [...any(make, s), { rate: 0.25, seed: s.width, offset: s.height }]],
  softmaxForward: ['softmax', any],
  softmaxBackwardInput: ['softmax', twice],
  reorderForward: [
    'reorder',
    (make, { batch, channels, groups }) => [make.tensor([batch, channels * groups]), { factor: groups }],
  ],
  reorderBackwardInput: [
    'reorder',
    (make, { batch, channels, groups }) => [make.tensor([batch, channels * groups]), { factor: groups }],
  ],

  conv2dForward: ['conv2d', (make, s) => [make.tensor(image(s).x), make.tensor(image(s).weight), conv(s)]],
  conv2dTakesNorm: ['conv2d', (make, s) => [make.tensor(image(s).x), make.tensor(image(s).weight), conv(s)]],
  conv2dNormForward: [
    'conv2d',
    (make, s) => {
      const { x, weight, convolved } = image(s)
      const norm = make.tensor([4, convolved[3] as number])
      return [make.tensor(x), make.tensor(weight), norm, { ...conv(s), relu: s.batch > 1 }]
    },
  ],
  conv2dBackwardInput: [
    'conv2d',
    (make, s) => {
      const { x, weight, convolved } = image(s)
      return [make.tensor(convolved), make.tensor(weight), { ...conv(s), shape: x }]
    },
  ],
  conv2dBackwardWeight: [
    'conv2d',
    (make, s) => {
      const { x, weight, convolved } = image(s)
      return [make.tensor(convolved), make.tensor(x), { ...conv(s), shape: weight }]
    },
  ],
  conv2dFuses: ['conv2d', (make, s) => [make.tensor(image(s).x), make.tensor(image(s).weight), conv(s)]],
  conv2dFusedForward: [
    'conv2d',
    (make, s) => {
      const { x, weight, c } = image(s)
      const p = { ...conv(s), xRelu: s.width > 1, needsStatistics: s.batch > 1 }
      return [make.tensor(x), make.tensor(weight), p, make.tensor([4, c])]
    },
  ],
  conv2dFusedBackward: [
    'conv2d',
    (make, s) => {
      const { x, weight, convolved, c } = image(s)
      const k = convolved[3] as number
      const relu = { xRelu: s.width > 1, yRelu: s.height > 1, yTraining: s.channels > 1 }
      const needs = { needsInput: s.batch > 1, needsWeight: s.kernel > 1, overwriteDy: s.stride > 1 }
      const p = { ...conv(s), xShape: x, wShape: weight, ...relu, ...needs }
      const behindY = [[4, k], convolved, [k], [k]].map(shape => make.tensor(shape))
      const [xw, xNorm] = [[x, weight].map(shape => make.tensor(shape)), make.tensor([4, c])]
      if (s.batch === 1) return [make.tensor(convolved), p, ...xw, xNorm, ...behindY]
      return [make.tensor(convolved), p, ...xw, undefined, ...behindY, make.tensor(x), make.tensor(x), xNorm]
    },
  ],

  igcBlockForward: [
    'igcBlock',
    (make, s) => {
      const { x, weight, secondary, c } = image(s)
      const p = { ...igc(s), xRelu: s.width > 1, needsStatistics: s.batch > 1, needsZ: s.height > 1 }
      return [make.tensor(x), make.tensor(weight), make.tensor(secondary), p, make.tensor([4, c])]
    },
  ],
  igcBlockBackward: [
    'igcBlock',
    (make, s) => {
      const { x, weight, secondary, convolved, c } = image(s)
      const k = convolved[3] as number
      const relu = { xRelu: s.width > 1, yRelu: s.height > 1, yTraining: s.channels > 1 }
      const needs = { needsInput: s.batch > 1, needsPrimary: s.kernel > 1, needsSecondary: s.stride > 1 }
      const overwriteDy = s.width > 1
      const tensors = [convolved, x, weight, secondary].map(shape => make.tensor(shape))
      const p = { ...igc(s), ...relu, ...needs, overwriteDy }
      const behindY = [[4, k], convolved, [k], [k], convolved].map(shape => make.tensor(shape))
      if (s.batch === 1) return [...tensors, p, make.tensor([4, c]), ...behindY]
      return [...tensors, p, undefined, ...behindY, make.tensor(x), make.tensor(x), make.tensor([4, c])]
    },
  ],

  batchNorm2dStatistics: ['batchNorm2d', (make, s) => [make.tensor(image(s).x)]],
  batchNorm2dPrepare: [
    'batchNorm2d',
    (make, s) => {
      const { x, c } = image(s)
      return [make.tensor(x), ...[1, 2, 3, 4].map(() => make.tensor([c])), norm(), make.tensor([2, c])]
    },
  ],
  batchNorm2dApply: [
    'batchNorm2d',
    (make, s) => [make.tensor(image(s).x), make.tensor([4, image(s).c]), { relu: s.batch > 1 }],
  ],
  batchNorm2dBackwardWeight: [
    'batchNorm2d',
    (make, s) => {
      const { x, c } = image(s)
      return [make.tensor(x), make.tensor(x), make.tensor([4, c]), { relu: s.batch > 1 }]
    },
  ],
  batchNorm2dBackwardInput: [
    'batchNorm2d',
    (make, s) => {
      const { x, c } = image(s)
      const tensors = [x, x, [4, c], [c], [c]].map(shape => make.tensor(shape))
      return [...tensors, { relu: s.batch > 1, training: s.width > 1 }]
    },
  ],

  avgPool2dForward: ['avgPool2d', (make, s) => [make.tensor(image(s).x), pool(s)]],
  avgPool2dBackwardInput: [
    'avgPool2d',
    (make, s) => {
      const { x, pooled } = image(poolSizes(s))
      return [make.tensor(pooled), { ...pool(s), shape: x }]
    },
  ],
  maxPool2dForward: ['maxPool2d', (make, s) => [make.tensor(image(s).x), pool(s)]],
  maxPool2dBackwardInput: [
    'maxPool2d',
    (make, s) => {
      const { x, pooled } = image(poolSizes(s))
      return [make.tensor(pooled), make.tensor(x), pool(s)]
    },
  ],
  globalAvgPool2dForward: ['globalAvgPool2d', (make, s) => [make.tensor(image(s).x)]],
  globalAvgPool2dBackwardInput: [
    'globalAvgPool2d',
    (make, s) => {
      const { x, c } = image(s)
      return [make.tensor([s.batch, c]), { shape: x }]
    },
  ],

  linearForward: [
    'linear',
    (make, { batch, channels, outChannels }) => [
      make.tensor([batch, channels]),
      make.tensor([outChannels, channels]),
      make.tensor([outChannels]),
    ],
  ],
  linearBackwardInput: [
    'linear',
    (make, { batch, channels, outChannels }) => [
      make.tensor([batch, outChannels]),
      make.tensor([outChannels, channels]),
    ],
  ],
  linearBackwardWeight: [
    'linear',
    (make, { batch, channels, outChannels }) => [make.tensor([batch, outChannels]), make.tensor([batch, channels])],
  ],
  linearBackwardBias: ['linear', any],

  crossEntropyForward: [
    'crossEntropy',
    (make, { batch, channels }) => [
      make.tensor([batch, channels + 1]),
      make.tensor([batch], 'i32'),
      { labelSmoothing: 0.1 },
    ],
  ],
  crossEntropyBackwardInput: [
    'crossEntropy',
    (make, { batch, channels }) => [
      make.tensor([]),
      make.tensor([batch, channels + 1]),
      make.tensor([batch], 'i32'),
      { labelSmoothing: 0.1 },
    ],
  ],

  noteNonFinite: ['noteNonFinite', (make, s) => [make.tensor([s.batch, s.channels]), make.tensor([], 'f32')]],
  sgdStep: [
    'sgdStep',
    (make, s) => {
      const [g, w, v] = [twice(make, s), twice(make, s), twice(make, s)]
      return [g, w, v, { lr: 0.1, momentum: 0.9, weightDecay: 1e-4, nesterov: true }]
    },
  ],
}
