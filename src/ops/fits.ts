/** Types of shapes: when sizes, shapes and dtypes agree for the compiler. Checked in test/types/. */
import type { FloatDType, Shape, Tensor } from '../tensor.ts'

/**
 * Nothing when the two may agree: they are equal, or what is known of them before run time is. Else a type that no tensor
 * has, so that the call does not compile and the message shows both. For sizes, whole shapes and dtypes.
 */
export type Fits<Expected, Received> = [Expected & Received] extends [never]
  ? { readonly 'these do not agree': { expected: Expected; received: Received } }
  : unknown

/** Nothing when the tensor may have this shape and dtype. */
export type FitsTensor<S extends Shape, D extends FloatDType, T extends FloatTensor> = Fits<S, T['shape']> &
  Fits<D, T['dtype']>

/** Nothing when `Groups` groups of `PerGroup` channels may be `Channels` channels. */
export type FitsGroups<Channels extends number, PerGroup extends number, Groups extends number> = number extends
  | Channels
  | PerGroup
  | Groups
  ? unknown
  : Fits<Channels, Times<PerGroup, Groups>>

/** A * B by counting; `number` where that is too much work: both are over 1, and one has more than two digits. */
type Times<A extends number, B extends number> = A extends 1
  ? B
  : B extends 1
    ? A
    : `${A} ${B}` extends `${string}${Digit}${Digit}${Digit}${string}`
      ? number
      : Repeat<Repeat<[0], A>, B> extends infer Counted extends 0[]
        ? Counted['length']
        : never

type Digit = '0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9'

type Repeat<
  T extends 0[],
  N extends number,
  Result extends 0[] = [],
  Count extends 0[] = [],
> = Count['length'] extends N ? Result : Repeat<T, N, [...Result, ...T], [...Count, 0]>

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

/** Rows of numbers. */
export type FloatMatrix = Tensor<readonly [number, number], FloatDType>

/** One number for every channel, class, … */
export type FloatVector = Tensor<readonly [number], FloatDType>
