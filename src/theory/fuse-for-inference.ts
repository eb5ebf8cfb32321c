/**
 * A network without batch norm that infers the same: every norm is folded into the weights of the convolution in front
 * of it and a bias. Checked for every network in test/theory/fuse-for-inference.test.ts.
 *
 *   s = gamma / sqrt(runningVar + epsilon)          of each channel
 *   w' = s w, b' = beta - s runningMean             bn(conv(x, w)) = conv(x, w') + b'
 *
 * In an IGC block the weights are those of the secondary convolution, whose out-channels the Reorder behind it permutes.
 */
import { UnsupportedError } from '../errors.ts'
import {
  BatchNorm2d,
  type Conv2d,
  ConvBlock,
  IgcBlock,
  InterleavedGroupConv2d,
  Module,
  parameter,
} from '../nn/index.ts'
import type { FloatVector } from '../ops/index.ts'
import { type FloatDType, Tensor, tensor, untracked } from '../tensor.ts'
import { FusedConvolution } from './fused-convolution.ts'
import { reorderChannels } from './permutation.ts'

// biome-ignore lint/suspicious/noExplicitAny: modules of any input and output
type AnyModule = Module<any, any>

/**
 * Folds batch norm into the convolutions of a network. The new network has tensors of its own and is in inference mode;
 * it computes, up to rounding, what the old one does in inference mode with its weights and running statistics of now.
 * Blocks until these are known. Modules of your own are copied property by property, so they must have no #private state.
 * @throws UnsupportedError for a batch norm that is no part of a block of `nn`
 * @example
 * const fused = fuseForInference(models.plainIgc({ depth: 20, primaryPartitions: 24, secondaryPartitions: 2 }))
 */
export function fuseForInference<T extends AnyModule>(network: T): T {
  const fused = rebuild(network) as T
  const left = [...fused.namedModules()].find(([, module]) => module instanceof BatchNorm2d)
  if (left === undefined) return fused.eval()
  fused.dispose()
  throw new UnsupportedError(
    `fuseForInference: expected batch norm inside of blocks of nn only but received one at ${left[0] || 'the top'}`,
  )
}

/** A copy of a module with copies of all that it holds; blocks that end in batch norm are fused. */
function rebuild(module: AnyModule): AnyModule {
  if (module instanceof IgcBlock) return fusedIgcBlock(module)
  if (module instanceof ConvBlock) return fusedConvBlock(module)
  if (module instanceof FusedConvolution) {
    return new FusedConvolution(copy(module.convolution), copyOf(module.bias) as FloatVector, module.relu)
  }
  return copy(module)
}

/** Of the same class, property by property; works for classes without #private state, as those of `nn` and `models` are. */
function copy<T extends AnyModule>(module: T): T {
  const made = Object.create(Object.getPrototypeOf(module)) as Record<string, unknown>
  for (const [name, value] of Object.entries(module)) made[name] = copyOf(value)
  return made as unknown as T
}

function copyOf(value: unknown): unknown {
  if (value instanceof Module) return rebuild(value)
  if (Array.isArray(value)) return value.map(copyOf)
  if (!(value instanceof Tensor)) return value
  const made = untracked(() => value.clone())
  made.requiresGrad = value.requiresGrad
  return made
}

function fusedConvBlock({ conv, bn, relu }: ConvBlock): FusedConvolution {
  const { scale, bias } = folded(bn)
  return new FusedConvolution(scaled(conv, scale), bias, relu)
}

function fusedIgcBlock({ primary, secondary, bn, relu, ...rest }: IgcBlock): FusedConvolution {
  const { scale, bias } = folded(bn)
  // Channel k of the block is out-channel `sources[k]` of the secondary convolution.
  const sources = reorderChannels([...scale.keys()], rest.secondaryPartitions)
  const ofSecondary = new Float64Array(scale.length)
  for (const [k, source] of sources.entries()) ofSecondary[source] = scale[k] as number
  const convolution = Object.create(InterleavedGroupConv2d.prototype) as InterleavedGroupConv2d
  Object.assign(convolution, { ...rest, primary: copy(primary), secondary: scaled(secondary, ofSecondary) })
  return new FusedConvolution(convolution, bias, relu)
}

/** What a batch norm multiplies by and adds, in f64, the latter as a parameter. */
function folded({ weight, bias, runningMean, runningVar, epsilon }: BatchNorm2d) {
  const [gamma, beta, mean, variance] = [weight, bias, runningMean, runningVar].map(values => values.dataSync())
  const scale = Float64Array.from(weight.dataSync(), (_, c) => at(gamma, c) / Math.sqrt(at(variance, c) + epsilon))
  const shift = scale.map((factor, c) => at(beta, c) - factor * at(mean, c))
  return { scale, bias: likeParameter(bias, shift) as FloatVector }
}

const at = (values: ArrayLike<number> | undefined, i: number) => values?.[i] as number

/** A convolution whose out-channels are multiplied. */
function scaled(convolution: Conv2d, scale: Float64Array): Conv2d {
  const { weight } = convolution
  const perChannel = weight.size / scale.length
  const values = Float64Array.from(weight.dataSync(), (value, i) => value * at(scale, Math.floor(i / perChannel)))
  const made = Object.create(Object.getPrototypeOf(convolution)) as Conv2d
  return Object.assign(made, convolution, { weight: likeParameter(weight, values) })
}

/** A parameter of the same shape, dtype and device. */
function likeParameter<T extends Tensor>({ shape, dtype, device }: T, values: Float64Array): T {
  return parameter(() => tensor(values, shape, { dtype: dtype as FloatDType, device })) as unknown as T
}
