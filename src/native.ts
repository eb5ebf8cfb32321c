/**
 * Loads the native addon and gives its functions one typed interface. Only src/ops, src/tensor.ts, src/autograd.ts,
 * src/deferred.ts, src/device.ts and src/scope.ts import this file; test/binding checks every function with bad input.
 * The native functions check every argument, shape and dtype before they enqueue anything, so their errors
 * appear at the line that called the op.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as errors from './errors.ts'
import { type PluginProbe, probeCuda, type ResolvedDevice, resolveDevice } from './plugin.ts'

/** A tensor on the native side: an opaque object that owns memory until it is disposed of or collected. */
export interface NativeTensor {
  readonly __igcnetNativeTensor: never
}

export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array

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
export interface IgcBlockBackwardParams extends IgcBlockParams {
  /** Whether xNorm ends in a ReLU. */
  xRelu: boolean
  /** Of the batch norm of y: whether it ends in a ReLU, and whether it normalised with the batch's statistics. */
  yRelu: boolean
  yTraining: boolean
  needsInput: boolean
  needsPrimary: boolean
  needsSecondary: boolean
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
  tensorRead(x: Handle): Promise<TypedArray>
  tensorReadSync(x: Handle): TypedArray
  tensorReshape(x: Handle, p: WithShape): Handle
  tensorRetain(x: Handle): Handle
  tensorDispose(x: Handle): void
  tensorInfo(x: Handle): { shape: number[]; dtype: string; device: string }

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
  conv2dBackwardInput(dy: Handle, w: Handle, p: Conv2dParams & WithShape): Handle
  conv2dBackwardWeight(dy: Handle, x: Handle, p: Conv2dParams & WithShape): Handle

  // A norm is [4, C] (mean, invStd, gamma, beta), statistics are [2, C] (mean, var): native/core/batch_norm2d.h.
  igcBlockForward(
    x: Handle,
    primary: Handle,
    secondary: Handle,
    p: IgcBlockParams & { xRelu: boolean; needsStatistics: boolean },
    xNorm?: Handle,
  ): { y: Handle; statistics?: Handle }
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

  sgdStep(g: Handle, w: Handle, v: Handle, p: SgdParams): void
}

/**
 * Where the addon may be, relative to this file (src/ or dist/), in the order in which they are tried. The environment
 * variable IGCNET_NATIVE, the path of another build (one with a sanitizer, for example), is tried first.
 */
const candidates = ['../build/Release/igcnet.node', '../build/Debug/igcnet.node'].map(candidate =>
  fileURLToPath(new URL(candidate, import.meta.url)),
)

/** How long idle threads spin before they sleep: in rounds for GNU's OpenMP runtime, in milliseconds for LLVM's. */
const PATIENCE = { GOMP_SPINCOUNT: '10000', KMP_BLOCKTIME: '1' }

/**
 * Loads the addon, and with it the OpenMP runtime, with threads that sleep after waiting for about a millisecond (unless
 * OMP_WAIT_POLICY or the runtime's own variable says otherwise). By default they spin for longer: with other work on the
 * same cores a training step then took 2 to 5 times as long; asleep at once, they wake up late at each of the some hundred
 * loops of a step. The runtime reads the variables when it is loaded; they are taken back, so that child processes do not
 * inherit them.
 */
function requirePatiently(require: NodeJS.Require, path: string): Native {
  const names = ['OMP_WAIT_POLICY', ...Object.keys(PATIENCE)]
  if (names.some(name => process.env[name] !== undefined)) return require(path) as Native
  Object.assign(process.env, PATIENCE)
  try {
    return require(path) as Native
  } finally {
    for (const name of Object.keys(PATIENCE)) delete process.env[name]
  }
}

let addonPath = ''

function load(): Native {
  const require = createRequire(import.meta.url)
  const tried: string[] = []
  const other = process.env.IGCNET_NATIVE
  for (const path of other ? [resolve(other), ...candidates] : candidates) {
    if (!existsSync(path)) {
      tried.push(`${path}: not there`)
      continue
    }
    try {
      const native = requirePatiently(require, path)
      native.setErrorClasses({ ...errors })
      native.setDeviceLoader(name => resolveDevice(path, name))
      addonPath = path
      return native
    } catch (error) {
      tried.push(`${path}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  throw new errors.DeviceError(
    `igcnet: the native addon could not be loaded on ${process.platform}-${process.arch}, Node ${process.version}. ` +
      `Tried ${tried.join('; ')}. In a clone of the repository, run \`npm run setup\` to build it.`,
  )
}

export const native: Native = load()

/** Whether the device cuda can be had, and what it is or why not. */
export function cudaProbe(ordinal = 0): PluginProbe {
  return probeCuda(addonPath, ordinal)
}
