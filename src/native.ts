/**
 * The native addon's functions behind one typed interface; addon.ts loads it. Only src/ops, src/tensor.ts, src/autograd.ts,
 * src/deferred.ts, src/device.ts and src/scope.ts import this file; test/binding checks every function with bad input.
 * The native functions check every argument, shape and dtype before they enqueue anything, so their errors
 * appear at the line that called the op.
 */
import { loadAddon } from './addon.ts'
import * as errors from './errors.ts'
import { type PluginProbe, probeCuda, type ResolvedDevice, resolveDevice } from './plugin.ts'

/** A tensor on the native side: an opaque object that owns memory until it is disposed of or collected. */
export interface NativeTensor {
  readonly __igcnetNativeTensor: never
}

/** Work that is repeated as one piece: an opaque object. */
export interface NativeRecording {
  readonly __igcnetNativeRecording: never
}

/** Uint16Array: the bits of bf16 and f16. */
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array | Uint16Array

export interface Conv2dParams {
  stride: number
  padding: number
  groups: number
}
export interface IgcBlockParams {
  primaryPartitions: number
  secondaryPartitions: number
  stride: number
  padding: number
}
/** The norms around a convolution, backwards. */
interface NormsAround {
  /** Whether xNorm ends in a ReLU. */
  xRelu: boolean
  /** Of the batch norm of y: whether it ends in a ReLU, and whether it normalised with the batch's statistics. */
  yRelu: boolean
  yTraining: boolean
}
export interface Conv2dFusedBackwardParams extends Conv2dParams, NormsAround {
  xShape: readonly number[]
  wShape: readonly number[]
  needsInput: boolean
  needsWeight: boolean
  overwriteDy: boolean
}
export interface IgcBlockBackwardParams extends IgcBlockParams, NormsAround {
  needsInput: boolean
  needsPrimary: boolean
  needsSecondary: boolean
  overwriteDy: boolean
}
export interface BatchNorm2dParams {
  training: boolean
  momentum: number
  epsilon: number
}
export interface Pool2dParams {
  kernel: number
  stride: number
  padding: number
}
export interface RandomParams {
  device: string
  dtype: string
  shape: readonly number[]
  seed: number
  offset: number
  /** Low (uniform) or mean (normal). */
  a: number
  /** High (uniform) or standard deviation (normal). */
  b: number
}
export interface DropoutParams {
  rate: number
  seed: number
  offset: number
}
export interface SgdParams {
  lr: number
  momentum: number
  weightDecay: number
  nesterov: boolean
}
/** Bytes of one device; `allocations` counts live blocks, `brokenFences` overruns found with IGCNET_DEBUG_MEMORY=1. */
export interface MemoryStats {
  bytesInUse: number
  bytesReserved: number
  peakInUse: number
  allocations: number
  brokenFences: number
}
/** With what a device computes. */
export interface DeviceInfo {
  /** The instruction set in use by our kernels; none: plain loops. */
  simd: 'avx512' | 'avx2' | 'neon' | 'baseline' | 'none'
  /** Floats in a vector of it. */
  f32Lanes: number
  threads: number
  /** Version of oneDNN; null where it is not used. */
  onednn: string | null
  /** A device of its own in words: name, driver, libraries; null: the processor. */
  hardware: string | null
}

type Handle = NativeTensor
type WithShape = { shape: readonly number[] }

/** Every native function. Layouts and formulas: native/core/<op>.h. */
export interface Native {
  setErrorClasses(classes: Record<string, unknown>): void
  /** Asked once for every name of a device that the addon does not have itself. */
  setDeviceLoader(load: (name: string) => ResolvedDevice): void
  /** What a plug-in finds on this machine; it may end the process, see plugin.ts. */
  pluginProbe(p: { plugin: string; ordinal: number }): { works: boolean; text: string }

  tensorCreate(p: { device: string; dtype: string; shape: readonly number[] }, data?: TypedArray): Handle
  tensorAssign(y: Handle, data: TypedArray): void
  tensorRead(x: Handle): Promise<TypedArray>
  tensorReadSync(x: Handle): TypedArray
  tensorReshape(x: Handle, p: WithShape): Handle
  tensorRetain(x: Handle): Handle
  tensorDispose(x: Handle): void
  tensorInfo(x: Handle): { shape: number[]; dtype: string; device: string }
  /** How often the values were updated in place, through any handle on that memory. */
  tensorUpdates(x: Handle): number
  /** Whether the memory has other handles, or a recording keeps it. */
  tensorShared(x: Handle): boolean

  recordBegin(device: string): void
  recordEnd(device: string): { recording?: NativeRecording; refused?: string }
  recordReplay(recording: NativeRecording): void
  recordDispose(recording: NativeRecording): void

  deviceSynchronize(device: string): void
  deviceTrim(device: string): void
  deviceMemory(device: string): MemoryStats
  deviceInfo(device: string): DeviceInfo
  deviceSetThreads(device: string, p: { threads: number }): void

  fill(x: Handle, p: { value: number }): void
  copyInto(x: Handle, y: Handle): void
  cast(x: Handle, p: { dtype: string }): Handle
  randomUniform(p: RandomParams): Handle
  randomNormal(p: RandomParams): Handle

  addForward(a: Handle, b: Handle): Handle
  addReluForward(a: Handle, b: Handle, p: { aRelu: boolean; bRelu: boolean }, aNorm?: Handle, bNorm?: Handle): Handle
  addReluBackward(
    dy: Handle,
    y: Handle,
    p: { overwriteDy: boolean },
    more?: Handle,
    x?: Handle,
    xNorm?: Handle,
  ): { dv: Handle; gamma?: Handle; beta?: Handle }
  reluForward(x: Handle): Handle
  reluBackwardInput(dy: Handle, y: Handle): Handle
  relu6Forward(x: Handle): Handle
  relu6BackwardInput(dy: Handle, y: Handle): Handle
  dropoutForward(x: Handle, p: DropoutParams): Handle
  dropoutBackwardInput(dy: Handle, p: DropoutParams): Handle
  softmaxForward(x: Handle): Handle
  softmaxBackwardInput(dy: Handle, y: Handle): Handle
  reorderForward(x: Handle, p: { factor: number }): Handle
  reorderBackwardInput(dy: Handle, p: { factor: number }): Handle

  conv2dForward(x: Handle, w: Handle, p: Conv2dParams): Handle
  conv2dTakesNorm(x: Handle, w: Handle, p: Conv2dParams): boolean
  conv2dNormForward(x: Handle, w: Handle, norm: Handle, p: Conv2dParams & { relu: boolean }): Handle
  conv2dBackwardInput(dy: Handle, w: Handle, p: Conv2dParams & WithShape): Handle
  conv2dBackwardWeight(dy: Handle, x: Handle, p: Conv2dParams & WithShape): Handle

  // A norm is [4, C] (mean, invStd, gamma, beta), statistics are [2, C] (mean, var): native/core/batch_norm2d.h.
  conv2dFuses(x: Handle, w: Handle, p: Conv2dParams): boolean
  conv2dFusedForward(
    x: Handle,
    w: Handle,
    p: Conv2dParams & { xRelu: boolean; needsStatistics: boolean },
    xNorm?: Handle,
  ): { y: Handle; statistics?: Handle }
  conv2dFusedBackward(
    dy: Handle,
    p: Conv2dFusedBackwardParams,
    x?: Handle,
    w?: Handle,
    xNorm?: Handle,
    yNorm?: Handle,
    y?: Handle,
    dgamma?: Handle,
    dbeta?: Handle,
    more?: Handle,
    side?: Handle,
    sideNorm?: Handle,
  ): { dx?: Handle; dw?: Handle; gamma?: Handle; beta?: Handle }

  igcBlockForward(
    x: Handle,
    primary: Handle,
    secondary: Handle,
    p: IgcBlockParams & { xRelu: boolean; needsStatistics: boolean; needsZ: boolean },
    xNorm?: Handle,
  ): { y: Handle; statistics?: Handle; z?: Handle }
  igcBlockBackward(
    dy: Handle,
    x: Handle,
    primary: Handle,
    secondary: Handle,
    p: IgcBlockBackwardParams,
    xNorm?: Handle,
    yNorm?: Handle,
    y?: Handle,
    dgamma?: Handle,
    dbeta?: Handle,
    z?: Handle,
    more?: Handle,
    side?: Handle,
    sideNorm?: Handle,
  ): { dx?: Handle; primary?: Handle; secondary?: Handle; gamma?: Handle; beta?: Handle }

  batchNorm2dStatistics(x: Handle): Handle
  batchNorm2dPrepare(
    x: Handle,
    gamma: Handle,
    beta: Handle,
    runningMean: Handle,
    runningVar: Handle,
    p: BatchNorm2dParams,
    statistics?: Handle,
  ): Handle
  batchNorm2dApply(x: Handle, norm: Handle, p: { relu: boolean }): Handle
  batchNorm2dBackwardWeight(dy: Handle, x: Handle, norm: Handle, p: { relu: boolean }): { gamma: Handle; beta: Handle }
  batchNorm2dBackwardInput(
    dy: Handle,
    x: Handle,
    norm: Handle,
    dgamma: Handle,
    dbeta: Handle,
    p: { relu: boolean; training: boolean },
  ): Handle

  avgPool2dForward(x: Handle, p: Pool2dParams): Handle
  avgPool2dBackwardInput(dy: Handle, p: Pool2dParams & WithShape): Handle
  maxPool2dForward(x: Handle, p: Pool2dParams): Handle
  maxPool2dBackwardInput(dy: Handle, x: Handle, p: Pool2dParams): Handle
  globalAvgPool2dForward(x: Handle): Handle
  globalAvgPool2dBackwardInput(dy: Handle, p: WithShape): Handle

  linearForward(x: Handle, w: Handle, b?: Handle): Handle
  linearBackwardInput(dy: Handle, w: Handle): Handle
  linearBackwardWeight(dy: Handle, x: Handle): Handle
  linearBackwardBias(dy: Handle): Handle

  crossEntropyForward(
    logits: Handle,
    labels: Handle,
    p: { labelSmoothing: number },
  ): { loss: Handle; probabilities: Handle }
  crossEntropyBackwardInput(dloss: Handle, probabilities: Handle, labels: Handle, p: { labelSmoothing: number }): Handle

  sgdStep(
    g: readonly Handle[],
    w: readonly Handle[],
    v: readonly Handle[],
    p: SgdParams,
    scale?: Handle,
    found?: Handle,
  ): void
  noteNonFinite(x: Handle, found: Handle): void
}

let addonPath = ''

function load(): Native {
  const { path, exports } = loadAddon()
  const native = exports as Native
  native.setErrorClasses({ ...errors })
  native.setDeviceLoader(name => resolveDevice(path, name))
  addonPath = path
  return native
}

export const native: Native = load()

/** Whether the device cuda can be had, and what it is or why not. */
export function cudaProbe(ordinal = 0): PluginProbe {
  return probeCuda(addonPath, ordinal)
}
