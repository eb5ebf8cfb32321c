/** Types of shapes: when two sizes agree for the compiler. Checked in test/types/. */
import type { FloatDType, Tensor } from '../tensor.ts'

/**
 * Nothing when the sizes may agree (equal, or one of them known at run time only), else a type that no tensor has,
 * so that the call does not compile and the message shows both sizes.
 */
export type Fits<Expected extends number, Received extends number> = number extends Expected
  ? unknown
  : number extends Received
    ? unknown
    : [Expected] extends [Received]
      ? unknown
      : { readonly 'sizes do not agree': { expected: Expected; received: Received } }

/** A batch of images or feature maps: [N, H, W, C]. */
export type Images<
  N extends number = number,
  H extends number = number,
  W extends number = number,
  C extends number = number,
  D extends FloatDType = FloatDType,
> = Tensor<readonly [N, H, W, C], D>

/** Any floating tensor. */
export type FloatTensor = Tensor<readonly number[], FloatDType>
