/** The theory of the papers as functions: `import { theory } from 'igcnet'`. */
export {
  igcParameters,
  igcv2Parameters,
  type Partitions,
  type PartitionsOptions,
  partitionsFor,
  type Widest,
  widestFor,
} from './budget.ts'
export { compositeKernel } from './composite-kernel.ts'
export { fuseForInference } from './fuse-for-inference.ts'
export { FusedConvolution } from './fused-convolution.ts'
export { type ConvolutionStep, type LinearStep, linearChain, patternOf } from './linear-chain.ts'
export { reorderChannels } from './permutation.ts'
export {
  countPaths,
  density,
  igcPattern,
  igcv2Pattern,
  isComplementary,
  isDense,
  type Paths,
  type Pattern,
  pointwiseLayers,
  type SparseFactor,
} from './sparse-pattern.ts'
