/** The fully connected layer. Checked in test/unit/layers.test.ts; its op in test/kernels. */
import { type Fits, type FloatVector, linear } from '../ops/index.ts'
import { Generator } from '../ops/random.ts'
import { type FloatDType, type ParameterOf, type Shape, type Tensor, zeros } from '../tensor.ts'
import { fanInUniform } from './init.ts'
import { Module, type ModuleOptions, parameter } from './module.ts'
import { checkSizes } from './sizes.ts'

type Rows<C extends number> = Tensor<readonly [number, C], FloatDType>

/** x [N, C] to x weight^T + bias [N, K]; `weight` [K, C] from U(±sqrt(1 / C)), `bias` [K] from 0. */
export class Linear<C extends number = number, K extends number = number> extends Module<Rows<C>, Rows<K>> {
  readonly weight: Tensor<readonly [K, C], FloatDType>
  readonly bias: Tensor<readonly [K], FloatDType>

  /** @throws ShapeError */
  constructor(options: ModuleOptions & { inFeatures: C; outFeatures: K }) {
    super()
    const { inFeatures, outFeatures, generator = new Generator(), dtype = 'f32', device = 'cpu' } = options
    checkSizes('Linear', { inFeatures, outFeatures })
    this.weight = fanInUniform(generator, [outFeatures, inFeatures], inFeatures, options)
    this.bias = parameter(() => zeros([outFeatures], { dtype, device }))
  }

  forward<N extends number, I extends number, D extends FloatDType>(
    x: Tensor<readonly [N, I], D> & Fits<C, I>,
  ): Tensor<readonly [N, K], ParameterOf<D>> {
    const y = linear(
      x as Tensor<readonly [N, number], FloatDType>,
      this.weight as Rows<number>,
      this.bias as FloatVector,
    )
    return y as Tensor<readonly [N, K], ParameterOf<D>>
  }

  override multiplyAdds(y: Shape): number {
    return (y[0] ?? 0) * this.weight.size
  }
}
