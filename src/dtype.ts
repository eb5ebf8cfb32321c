/** Element types of tensors and their typed arrays. Checked in test/unit/tensor.test.ts, the types in test/types/. */

/** Element types: floats of 32, 64 and 16 bits (bfloat16, IEEE 754 binary16), integers of 32 bits, bytes. */
export type DType = 'f32' | 'f64' | 'i32' | 'u8' | 'bf16' | 'f16'
/**
 * The element types of images and feature maps. Every device holds them; only `reference` computes in f64, only `cuda` in bf16
 * and f16.
 */
export type FloatDType = 'f32' | 'f64' | 'bf16' | 'f16'
/** Those of parameters, statistics and losses. */
export type ParameterDType = 'f32' | 'f64'
/** That of the parameters beside maps of a dtype: f32 beside bf16 and f16. */
export type ParameterOf<D extends FloatDType> = D extends 'f64' ? 'f64' : 'f32'

/** The typed array of a DType; bf16 and f16 are read and written as 32-bit floats, which hold each of their values. */
export type ArrayOf<D extends DType> = {
  f32: Float32Array
  f64: Float64Array
  i32: Int32Array
  u8: Uint8Array
  bf16: Float32Array
  f16: Float32Array
}[D]

/** @internal */
export const arrays = {
  f32: Float32Array,
  f64: Float64Array,
  i32: Int32Array,
  u8: Uint8Array,
  bf16: Float32Array,
  f16: Float32Array,
} as const

/** @internal Whether maps alone have this dtype. */
export function isHalf(dtype: DType): dtype is 'bf16' | 'f16' {
  return dtype === 'bf16' || dtype === 'f16'
}
