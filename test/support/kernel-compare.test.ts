/** The verdicts of kernel-compare.ts: each fault that it exists to find is made here on purpose, and found. */
import { describe, expect, it } from 'vitest'
import { expectClose, expectExact, integers, type Kernel, normals, runKernel, type Values } from './kernel-compare.ts'

/** Gives `good` to reference and `bad` to cpu. */
const differing =
  (good: Values, bad: Values): Kernel =>
  (put, { device }) => ({ y: put(device === 'cpu' ? bad : good) })

const with0 = (values: Values, index: number, value: number): Values => {
  const data = Float64Array.from(values.data)
  data[index] = value
  return { ...values, data }
}

describe('expectExact', () => {
  const good = integers([4, 5], 1)

  it('accepts equal numbers', () => {
    return expectExact(put => ({ y: put(good) }))
  })

  it('names the device and the element that differs', () => {
    const bad = with0(good, 7, 2.5)
    return expect(expectExact(differing(good, bad))).rejects.toThrow(
      `cpu y[7]: expected ${good.data[7]} but received 2.5`,
    )
  })

  it('finds NaN', () => {
    return expect(expectExact(differing(good, with0(good, 0, Number.NaN)))).rejects.toThrow('but received NaN')
  })

  it('finds a missing element', () => {
    const bad = { shape: [19], data: good.data.slice(0, 19) }
    return expect(expectExact(differing(good, bad))).rejects.toThrow('cpu y[19]')
  })

  it('mistrusts a result of zeros', () => {
    return expect(expectExact(put => ({ y: put({ shape: [9], data: new Float64Array(9) }) }))).rejects.toThrow(
      'y: mistrusted, 0 of 9 reachable elements differ from zero',
    )
  })

  it('refuses numbers that f32 cannot hold', () => {
    return expect(expectExact(put => ({ y: put({ shape: [1], data: Float64Array.of(2 ** 24 + 1) }) }))).rejects.toThrow(
      'not exact',
    )
  })
})

describe('expectClose', () => {
  const good = normals([100], 2)

  it('accepts one unit in the last place of the largest value', () => {
    const largest = Math.max(...good.data.map(Math.abs))
    return expectClose(differing(good, with0(good, 3, (good.data[3] as number) + 0.9 * 2 ** -23 * largest)))
  })

  it('finds a larger error', () => {
    const bad = with0(good, 3, (good.data[3] as number) + 1e-5)
    return expect(expectClose(differing(good, bad))).rejects.toThrow(
      /^y: expected an error of at most .* but received /,
    )
  })

  it('finds NaN', () => {
    return expect(expectClose(differing(good, with0(good, 3, Number.NaN)))).rejects.toThrow('but received NaN')
  })
})

describe('debug memory', () => {
  it('is on: memory that nothing wrote is NaN', async () => {
    const { native } = await import('../../src/native.ts')
    for (const device of ['cpu', 'reference']) {
      const outputs = runKernel(() => ({ y: native.tensorCreate({ device, dtype: 'f32', shape: [40] }) }), {
        device,
        dtype: 'f32',
      })
      expect(outputs.get('y')).toEqual(new Float32Array(40).fill(Number.NaN))
    }
  })
})
