/** The optimiser against a plain recomputation over several steps, what it frees, its state, and its errors. */
import { describe, expect, it } from 'vitest'
import { DisposedError, optim, relu, scope, type Tensor, tensor, zeros } from '../../src/index.ts'
import { bytesInUse } from '../support/gradients.ts'

const place = { dtype: 'f64', device: 'reference' } as const

/** A parameter with a gradient to come: `pull` adds one. */
function parameter(values: number[]) {
  const w = tensor(values, [values.length], { ...place, requiresGrad: true })
  const pull = (gradient: number[]) => w.backward(tensor(gradient, [gradient.length], place))
  return { w, pull }
}

/** d = g + weightDecay w; v = momentum v + d; w -= lr (nesterov ? d + momentum v : v). */
function plainStep(w: number[], v: number[], g: number[], options: Required<optim.SgdOptions>): void {
  g.forEach((gradient, i) => {
    const d = gradient + options.weightDecay * (w[i] as number)
    v[i] = options.momentum * (v[i] as number) + d
    w[i] = (w[i] as number) - options.lr * (options.nesterov ? d + options.momentum * v[i] : v[i])
  })
}

describe('step', () => {
  it.each<Partial<optim.SgdOptions>>([
    {},
    { momentum: 0.9 },
    { momentum: 0.9, nesterov: true },
    { weightDecay: 0.01 },
    { momentum: 0.9, nesterov: true, weightDecay: 1e-4 },
    { nesterov: true },
  ])('is the formula with %o', given => {
    const options = { lr: 0.1, momentum: 0, nesterov: false, weightDecay: 0, ...given }
    const { w, pull } = parameter([1, -2, 3])
    const sgd = optim.sgd([w], { lr: 0.1, ...given })
    const [expected, velocity] = [
      [1, -2, 3],
      [0, 0, 0],
    ]
    for (let step = 0; step < 6; step++) {
      sgd.lr = options.lr = 0.1 / (1 + step)
      const gradient = [Math.sin(step), 0.5 * step, -1]
      pull(gradient)
      sgd.step()
      plainStep(expected, velocity, gradient, options)
      w.dataSync().forEach((value, i) => {
        expect(value).toBeCloseTo(expected[i] as number, 13)
      })
      sgd
        .state()[0]
        ?.dataSync()
        .forEach((value, i) => {
          expect(value).toBeCloseTo(velocity[i] as number, 13)
        })
    }
  })

  it('goes down', () => {
    const { w, pull } = parameter([4])
    const sgd = optim.sgd([w], { lr: 0.25 })
    pull([4])
    sgd.step()
    expect(w.dataSync()).toEqual(Float64Array.of(3))
  })

  it('leaves a parameter without a gradient alone, its velocity and its decay too', () => {
    const [a, b] = [parameter([1]), parameter([2])]
    const sgd = optim.sgd([a.w, b.w], { lr: 0.1, momentum: 0.5, weightDecay: 0.1 })
    a.pull([1])
    b.pull([1])
    sgd.step()
    const [w, v] = [b.w.dataSync(), sgd.state()[1]?.dataSync()]
    a.pull([1])
    sgd.step()
    expect([b.w.dataSync(), sgd.state()[1]?.dataSync()]).toEqual([w, v])
    expect(a.w.dataSync()[0]).not.toBe(w[0])
  })

  it('uses the sum of gradients, then frees it', () => {
    const { w, pull } = parameter([0])
    const sgd = optim.sgd([w], { lr: 1 })
    pull([1])
    pull([2])
    const gradient = w.grad
    sgd.step()
    expect([w.grad, gradient?.disposed, w.dataSync()[0]]).toEqual([undefined, true, -3])
    sgd.step()
    expect(w.dataSync()[0]).toBe(-3)
  })

  it('takes a gradient that was put in place by hand', () => {
    const { w, pull } = parameter([0])
    pull([100])
    w.grad?.dispose()
    w.grad = tensor([1], [1], place)
    optim.sgd([w], { lr: 1 }).step()
    expect(w.dataSync()[0]).toBe(-1)
  })

  it('changes the tensor itself, and all that share its memory', () => {
    const { w, pull } = parameter([1])
    const view = w.detach()
    pull([1])
    optim.sgd([w], { lr: 1 }).step()
    expect(view.dataSync()[0]).toBe(0)
  })

  it('of parameters of two kinds updates all or none', () => {
    const { w, pull } = parameter([1])
    const narrow = tensor([1], [1], { requiresGrad: true })
    const sgd = optim.sgd([w, narrow], { lr: 1 })
    pull([1])
    const gone = tensor([1], [1])
    gone.dispose()
    narrow.grad = gone
    expect(() => sgd.step()).toThrow(DisposedError)
    expect([w.dataSync()[0], w.grad?.dataSync()[0]]).toEqual([1, 1])
    narrow.grad = tensor([1], [1])
    sgd.step()
    expect([w.dataSync()[0], narrow.dataSync()[0]]).toEqual([0, 0])
  })

  it('knows its parameters by itself', () => {
    const [a, b] = [parameter([1]), parameter([1])]
    const given = [a.w]
    const sgd = optim.sgd(given, { lr: 1 })
    given[0] = b.w
    for (const { pull } of [a, b]) pull([1])
    sgd.step()
    expect([a.w.grad, b.w.grad?.dataSync()[0]]).toEqual([undefined, 1])
  })

  it.each<[unknown, string]>([
    [{ scale: 2, found: zeros([], place) }, 'sgdStep: expected a tensor for scale but received 2'],
    [{ found: zeros([], place) }, 'sgdStep: expected a tensor for scale but received undefined'],
    [{ scale: zeros([], place) }, 'sgdStep: expected a tensor for found but received undefined'],
    [0.1, 'sgdStep: expected an object of options but received 0.1'],
    [null, 'sgdStep: expected an object of options but received null'],
  ])('is refused with %o for the scale of the gradients', (scaling, message) => {
    const { w, pull } = parameter([1])
    pull([1])
    expect(() => optim.sgd([w], { lr: 1 }).step(scaling as never)).toThrow(new TypeError(message))
    expect([w.dataSync()[0], w.grad?.dataSync()[0]]).toEqual([1, 1])
  })

  it('is refused with a rate that is no number; nothing changes', () => {
    const { w, pull } = parameter([1])
    const sgd = optim.sgd([w], { lr: 1 })
    pull([1])
    for (const lr of [Number.NaN, Number.POSITIVE_INFINITY]) {
      sgd.lr = lr
      expect(() => sgd.step()).toThrow(new RangeError(`sgdStep: expected a finite number for lr but received ${lr}`))
    }
    expect([w.dataSync()[0], w.grad?.dataSync()[0]]).toEqual([1, 1])
  })
})

it('zeroGrad frees gradients without a step', () => {
  const { w, pull } = parameter([1])
  const sgd = optim.sgd([w], { lr: 1 })
  pull([5])
  const gradient = w.grad
  sgd.zeroGrad()
  sgd.step()
  expect([w.grad, gradient?.disposed, w.dataSync()[0]]).toEqual([undefined, true, 1])
})

describe('state', () => {
  it('goes on where another optimiser stopped', () => {
    const options = { lr: 0.1, momentum: 0.9, nesterov: true }
    const [a, b] = [parameter([1, 2]), parameter([1, 2])]
    const first = optim.sgd([a.w], options)
    a.pull([1, -1])
    first.step()
    const second = optim.sgd([b.w], options)
    second.loadState(first.state())
    b.w.assign(a.w)
    for (const { pull } of [a, b]) pull([0.3, 0.7])
    first.step()
    second.step()
    expect(b.w.dataSync()).toEqual(a.w.dataSync())
    expect(second.state()[0]).not.toBe(first.state()[0])
  })

  it.each<[string, Tensor[], string, string]>([
    ['too few', [zeros([2], place)], 'DataError', 'sgd: expected 2 velocities but received 1'],
    [
      'another shape',
      [tensor([1, 1], [2], place), zeros([4], place)],
      'ShapeError',
      'sgd: expected velocity 1 Tensor [3] f64 on reference but received Tensor [4] f64 on reference',
    ],
    [
      'another dtype',
      [tensor([1, 1], [2], place), zeros([3], { device: 'reference' })],
      'ShapeError',
      'sgd: expected velocity 1 Tensor [3] f64 on reference but received Tensor [3] f32 on reference',
    ],
  ])('refuses %s and changes nothing', (_, state, name, message) => {
    const sgd = optim.sgd([parameter([1, 2]).w, parameter([1, 2, 3]).w], { lr: 1, momentum: 0.5 })
    expect(() => sgd.loadState(state)).toThrow(expect.objectContaining({ name, message }))
    expect(sgd.state().map(v => Array.from(v.dataSync()))).toEqual([
      [0, 0],
      [0, 0, 0],
    ])
  })

  it('is freed by dispose, and outlives scopes', () => {
    const w = zeros([100], { requiresGrad: true })
    const before = bytesInUse()
    const step = scope()
    const sgd = optim.sgd([w], { lr: 1 })
    step.dispose()
    expect(bytesInUse()).toBeGreaterThan(before)
    sgd.dispose()
    expect(bytesInUse()).toBe(before)
  })
})

describe('options', () => {
  it('have defaults', () => {
    const { lr, momentum, nesterov, weightDecay } = optim.sgd([], { lr: 0.5 })
    expect({ lr, momentum, nesterov, weightDecay }).toEqual({ lr: 0.5, momentum: 0, nesterov: false, weightDecay: 0 })
  })

  it.each([
    [{ lr: -1 }, 'sgd: expected a number of 0 or more for lr but received -1'],
    [{ lr: Number.NaN }, 'sgd: expected a number of 0 or more for lr but received NaN'],
    [{ lr: 1, momentum: -0.1 }, 'sgd: expected a number of 0 or more for momentum but received -0.1'],
    [
      { lr: 1, weightDecay: Number.POSITIVE_INFINITY },
      'sgd: expected a number of 0 or more for weightDecay but received Infinity',
    ],
    [{} as optim.SgdOptions, 'sgd: expected a number of 0 or more for lr but received undefined'],
  ])('refuses %o', (options, message) => {
    expect(() => optim.sgd([], options)).toThrow(new RangeError(message))
  })

  it('refuses a parameter that is there twice, and the result of an op', () => {
    const [a, b] = [parameter([1]).w, parameter([2]).w]
    expect(() => optim.sgd([a, b, a], { lr: 1 })).toThrow(
      new RangeError('sgd: expected every parameter once but received number 2 again'),
    )
    expect(() => optim.sgd([a, relu(b)], { lr: 1 })).toThrow(
      new RangeError('sgd: expected leaves but received the result of an op as number 1'),
    )
  })
})
