/** First values: their distribution, what the seed decides, and which layer uses which. */
import { describe, expect, it } from 'vitest'
import { Generator, nn, scope, type Tensor } from '../../src/index.ts'

const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, x) => sum + x, 0) / values.length
const deviation = (values: ArrayLike<number>) => {
  const middle = mean(values)
  return Math.sqrt(mean(Array.from(values, x => (x - middle) ** 2)))
}
const values = (x: Tensor) => Array.from(x.dataSync())

describe('heNormal', () => {
  it('has mean 0 and standard deviation sqrt(2 / fanIn)', () => {
    const drawn = values(nn.heNormal(new Generator(1), [200, 500], 50, {}))
    // 100,000 values: the mean has a standard error of 0.0006, the deviation one of 0.0005.
    expect(Math.abs(mean(drawn))).toBeLessThan(0.003)
    expect(Math.abs(deviation(drawn) - 0.2)).toBeLessThan(0.0025)
    const outside = drawn.filter(x => Math.abs(x) > 0.4).length / drawn.length
    expect(Math.abs(outside - 0.0455)).toBeLessThan(0.004) // beyond two deviations
  })
})

describe('fanInUniform', () => {
  it('is even over plus and minus sqrt(1 / fanIn)', () => {
    const drawn = values(nn.fanInUniform(new Generator(1), [200, 500], 25, {}))
    expect(Math.max(...drawn.slice(0, 50_000).map(Math.abs))).toBeLessThanOrEqual(Math.fround(0.2))
    expect(Math.min(...drawn.slice(0, 50_000))).toBeLessThan(-0.1999)
    expect(Math.max(...drawn.slice(0, 50_000))).toBeGreaterThan(0.1999)
    expect(Math.abs(mean(drawn))).toBeLessThan(0.002)
    expect(Math.abs(deviation(drawn) - 0.2 / Math.sqrt(3))).toBeLessThan(0.001)
    const inner = drawn.filter(x => Math.abs(x) < 0.1).length / drawn.length
    expect(Math.abs(inner - 0.5)).toBeLessThan(0.01)
  })
})

describe('parameters', () => {
  it('are leaves that require a gradient and outlive scopes', () => {
    const step = scope()
    const made = [nn.heNormal(new Generator(1), [3], 1, {}), nn.fanInUniform(new Generator(1), [3], 1, {})]
    step.dispose()
    for (const x of made) expect([x.requiresGrad, x.isLeaf, x.disposed]).toEqual([true, true, false])
  })

  it('have the same values on every device, and in f64 the same to rounding', () => {
    const draw = (placement: Parameters<typeof nn.heNormal>[3]) =>
      values(nn.heNormal(new Generator(5), [99], 2, placement))
    expect(draw({ device: 'reference' })).toEqual(draw({}))
    expect(draw({ dtype: 'f64', device: 'reference' }).map(Math.fround)).toEqual(draw({}))
  })
})

describe('a seed', () => {
  it('decides the values', () => {
    const draw = (seed: number) => values(new Generator(seed).normal([7]))
    expect(draw(3)).toEqual(draw(3))
    expect(draw(3)).not.toEqual(draw(4))
    expect(values(new Generator().normal([7]))).toEqual(draw(0))
  })

  it('gives a stream that goes on, and that can be taken up again', () => {
    const generator = new Generator(9)
    const first = values(generator.normal([5]))
    const state = generator.state()
    expect(state).toEqual({ seed: 9, offset: 3 })
    const second = values(generator.uniform([4]))
    expect(second).not.toEqual(first.slice(0, 4))
    const other = new Generator()
    other.loadState(JSON.parse(JSON.stringify(state)))
    expect(values(other.uniform([4]))).toEqual(second)
  })

  it('is not used up by a call that fails', () => {
    const generator = new Generator(9)
    expect(() => generator.uniform([2, -1])).toThrow(
      'randomUniform: expected whole sizes of 0 or more in shape but received -1',
    )
    expect(() => generator.uniform([2], { low: 2, high: 1 })).toThrow(
      'random: expected low of at most 1 (high) but received 2',
    )
    expect(() => generator.normal([2], { std: -1 })).toThrow(
      'random: expected a standard deviation of 0 or more but received -1',
    )
    expect(generator.state()).toEqual({ seed: 9, offset: 0 })
  })

  it('is a whole number', () => {
    for (const seed of [-1, 0.5, Number.NaN, 2 ** 53]) {
      const message = `random: expected a whole number from 0 to 2^53 - 1 for seed but received ${seed}`
      expect(() => new Generator(seed)).toThrow(new RangeError(message))
      expect(() => new Generator().loadState({ seed, offset: 0 })).toThrow(new RangeError(message))
    }
    const generator = new Generator(9)
    expect(() => generator.loadState({ seed: 1, offset: -1 })).toThrow(
      new RangeError('random: expected a whole number from 0 to 2^53 - 1 for offset but received -1'),
    )
    expect(generator.state()).toEqual({ seed: 9, offset: 0 })
  })
})

describe('layers', () => {
  it('use the fan-in of one group', () => {
    const options = { inChannels: 64, outChannels: 256, kernel: 3, groups: 4, generator: new Generator(1) }
    const drawn = values(new nn.Conv2d(options).weight)
    expect(Math.abs(deviation(drawn) / Math.sqrt(2 / (16 * 9)) - 1)).toBeLessThan(0.02)
    const head = values(new nn.Linear({ inFeatures: 100, outFeatures: 100, generator: new Generator(1) }).weight)
    expect(Math.max(...head.map(Math.abs))).toBeLessThanOrEqual(Math.fround(0.1))
    expect(Math.max(...head.map(Math.abs))).toBeGreaterThan(0.099)
  })

  it('draw from the generator that they are given, one after the other', () => {
    const options = { inChannels: 4, outChannels: 4, kernel: 1 }
    const generator = new Generator(1)
    const [a, b] = [new nn.Conv2d({ ...options, generator }), new nn.Conv2d({ ...options, generator })]
    expect(values(a.weight)).not.toEqual(values(b.weight))
    expect(values(new nn.Conv2d(options).weight)).toEqual(values(new nn.Conv2d(options).weight))
  })

  it('of a pair draw different values', () => {
    const { primary, secondary } = new nn.IgcBlock({ inChannels: 4, outChannels: 4, primaryPartitions: 1, kernel: 1 })
    const standard = (x: Tensor, fanIn: number) => values(x).map(value => value / Math.sqrt(2 / fanIn))
    const [first, second] = [standard(primary.weight, 4), standard(secondary.weight, 1)]
    expect(second.every((value, i) => Math.abs(value - (first[i] as number)) > 0.01)).toBe(true)
  })
})
