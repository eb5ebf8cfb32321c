/** Turns what a native function returned into a tensor, and puts the op on the tape when a gradient may be asked for. */
import { type BackwardRule, type FormClass, isRecording, Node, type SavedTensors } from '../autograd.ts'
import type { DeferredNorm, GradientForm } from '../deferred.ts'
import { type NativeTensor, native } from '../native.ts'
import { type DType, type Shape, Tensor } from '../tensor.ts'

export type { BackwardRule, SavedTensors } from '../autograd.ts'

/** What an op needs again in its backward direction. */
export interface Saved {
  /** Handles that tensors own: the tape takes a share of their memory. Undefined: no gradient that is asked for needs it. */
  shared?: readonly (NativeTensor | undefined)[]
  /** Handles made by the op itself: the tape takes them over, or they are freed at once. */
  owned?: readonly NativeTensor[]
}

/**
 * @param op the public name, for errors
 * @param inputs the tensors that may need a gradient, in the order of the rule's result
 * @param output the handle of the result, or its deferred form; taken over
 * @param saved given to the rule, `shared` before `owned`
 * @param form the form of gradients that the rule takes besides handles
 * @param isSum see `Node.isSum`
 */
export function record<S extends Shape, D extends DType, F extends GradientForm = never>(
  op: string,
  inputs: readonly (Tensor | undefined)[],
  output: NativeTensor | DeferredNorm,
  saved: Saved,
  rule: BackwardRule<F>,
  form?: FormClass<F>,
  isSum = false,
): Tensor<S, D> {
  const edges = inputs.map(input => input?.edge)
  const { shared = [], owned = [] } = saved
  if (!isRecording() || edges.every(edge => edge === undefined)) {
    for (const handle of owned) native.tensorDispose(handle)
    return new Tensor<S, D>(output)
  }
  const kept = [...shared.map(handle => handle && native.tensorRetain(handle)), ...owned]
  return new Tensor<S, D>(output, new Node(op, edges, kept, rule, form, isSum))
}

/** The saved handle number `index`; the rule that asks knows what it saved. */
export function at(saved: SavedTensors, index: number): NativeTensor {
  return saved[index] as NativeTensor
}
