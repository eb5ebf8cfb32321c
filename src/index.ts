/**
 * igcnet: train interleaved group convolution networks from Node.
 *
 * Tensors and autograd at the top level; layers in `nn`, optimisers in `optim`, the papers' networks in `models`, data
 * sets in `data`, devices in `device`, training runs in `train`, the papers' theory in `theory`, their
 * tables in `reproduce`.
 */
// The declarations name AbortSignal and Disposable: TypeScript 7 takes in no @types package that nobody names.
/// <reference types="node" preserve="true" />
export { noGrad } from './autograd.ts'
export * as data from './data/index.ts'
export * as device from './device.ts'
export * from './errors.ts'
export * as models from './models/index.ts'
export * as nn from './nn/index.ts'
export * from './ops/index.ts'
export * as optim from './optim/index.ts'
export * as reproduce from './reproduce/index.ts'
export { type Scope, scope, tidy } from './scope.ts'
export {
  type ArrayOf,
  type DeviceChoice,
  type DeviceName,
  type DType,
  type FloatDType,
  formatShape,
  full,
  ones,
  type ParameterDType,
  type ParameterOf,
  type Shape,
  Tensor,
  type TensorOptions,
  tensor,
  zeros,
} from './tensor.ts'
export * as theory from './theory/index.ts'
export * as train from './train/index.ts'
