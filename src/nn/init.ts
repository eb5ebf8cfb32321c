/** The authors' initialisation (their MXNet scripts). Checked in test/unit/init.test.ts. */
import type { Generator } from '../ops/random.ts'
import type { FloatDType, Shape, Tensor } from '../tensor.ts'
import { type ModuleOptions, parameter } from './module.ts'

type Placement = Pick<ModuleOptions, 'device' | 'dtype'>

/** A parameter with normally distributed values, standard deviation sqrt(2 / fanIn) (He et al. 2015). */
export function heNormal<const S extends Shape>(
  generator: Generator,
  shape: S,
  fanIn: number,
  placement: Placement,
): Tensor<S, FloatDType> {
  const std = Math.sqrt(2 / fanIn)
  return parameter(() => generator.normal<S, FloatDType>(shape, { std, ...placement }))
}

/** A parameter with values evenly distributed over ±sqrt(1 / fanIn). */
export function fanInUniform<const S extends Shape>(
  generator: Generator,
  shape: S,
  fanIn: number,
  placement: Placement,
): Tensor<S, FloatDType> {
  const high = Math.sqrt(1 / fanIn)
  return parameter(() => generator.uniform<S, FloatDType>(shape, { low: -high, high, ...placement }))
}
