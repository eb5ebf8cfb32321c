/** The checker of gradients finds wrong rules: each is made here on purpose, recorded as an op would be. */
import { describe, expect, it } from 'vitest'
import { native } from '../../src/native.ts'
import { add, type FloatTensor } from '../../src/ops/index.ts'
import { at, record } from '../../src/ops/record.ts'
import { awayFromZero, gradcheck, normal } from '../support/gradcheck.ts'

const failure = /^gradcheck: input 0 \[.*\] at \d+: differences give .* but backward gave /

describe('gradcheck', () => {
  it('accepts a right rule', () => {
    const relu = (x: FloatTensor) => {
      const y = native.reluForward(x.handle)
      return record<readonly number[], 'f64'>('relu', [x], y, { shared: [y] }, (dy, saved) => [
        native.reluBackwardInput(dy, at(saved, 0)),
      ])
    }
    gradcheck(relu, [awayFromZero([3, 4], 1)])
  })

  it('finds a rule that passes the gradient on where it must not', () => {
    const wrong = (x: FloatTensor) =>
      record<readonly number[], 'f64'>('relu', [x], native.reluForward(x.handle), {}, dy => [native.tensorRetain(dy)])
    expect(() => gradcheck(wrong, [awayFromZero([3, 4], 1)])).toThrow(failure)
  })

  it('finds a permutation instead of its inverse', () => {
    const p = { factor: 2 }
    const wrong = (x: FloatTensor) =>
      record<readonly number[], 'f64'>('reorder', [x], native.reorderForward(x.handle, p), {}, dy => [
        native.reorderForward(dy, p),
      ])
    expect(() => gradcheck(wrong, [normal([2, 6], 1)])).toThrow(failure)
  })

  it('finds one entry that is wrong by a millionth', () => {
    const wrong = (x: FloatTensor) =>
      record<readonly number[], 'f64'>('reorder', [x], native.reorderForward(x.handle, { factor: 1 }), {}, dy => {
        const values = native.tensorReadSync(dy)
        values[5] = (values[5] as number) * (1 + 1e-6)
        return [native.tensorCreate({ device: 'reference', dtype: 'f64', shape: [2, 6] }, values)]
      })
    expect(() => gradcheck(wrong, [normal([2, 6], 1)])).toThrow(/ at 5: /)
  })

  it('finds a use of an input that brings no gradient', () => {
    expect(() => gradcheck(x => add(x, x.detach()), [normal([4], 1)])).toThrow(failure)
  })

  it('finds a gradient that depends on which others are asked for', () => {
    const wrong = (a: FloatTensor, b: FloatTensor) =>
      record<readonly number[], 'f64'>('add', [a, b], native.addForward(a.handle, b.handle), {}, (dy, _, needs) => [
        needs[0] ? (needs[1] ? native.tensorRetain(dy) : native.addForward(dy, dy)) : undefined,
        needs[1] ? native.tensorRetain(dy) : undefined,
      ])
    expect(() => gradcheck(wrong, [normal([4], 1), normal([4], 2)])).toThrow(
      'gradcheck: input 0 alone has another gradient than with the other inputs',
    )
  })

  it('mistrusts a gradient of zeros', () => {
    const constant = (x: FloatTensor) => {
      const zero = () => native.tensorCreate({ device: 'reference', dtype: 'f64', shape: [4] }, new Float64Array(4))
      return record<readonly number[], 'f64'>('constant', [x], zero(), {}, () => [zero()])
    }
    expect(() => gradcheck(constant, [normal([4], 1)])).toThrow('gradcheck: input 0 [4] has a gradient of zeros')
  })
})
