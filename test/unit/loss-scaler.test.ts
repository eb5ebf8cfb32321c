/** Loss scaling: the same steps as without, steps that are left out, and how the scale grows and falls. */
import { describe, expect, it } from 'vitest'
import { add, optim, scope, type Tensor, tensor } from '../../src/index.ts'

const device = (process.env.IGCNET_TEST_DEVICE ?? 'cpu') as 'cpu' | 'reference' | 'cuda'
const start = [0.5, -1, 2, 3]

/** A parameter, and a "loss" whose gradient by it is `gradient`. */
function problem(gradient: number[]) {
  const w = tensor(start, [4], { device, requiresGrad: true })
  const g = tensor(gradient, [4], { device })
  // backward(seed) brings the seed to w; LossScaler gives its scale, which is spread by hand.
  const loss = (scale: number) =>
    add(w, w).backward(
      tensor(
        gradient.map(x => (x * scale) / 2),
        [4],
        { device },
      ) as never,
    )
  return {
    w: w as Tensor,
    g,
    loss,
    sgd: optim.sgd([w], { lr: 0.25, momentum: 0.5, nesterov: true, weightDecay: 0.125 }),
  }
}

describe('lossScaler', () => {
  it('steps as without', () => {
    using _all = scope()
    const [plain, scaled] = [problem([1, -2, 0, 4]), problem([1, -2, 0, 4])]
    const scaler = optim.lossScaler({ device, initialScale: 1024 })
    for (let i = 0; i < 3; i++) {
      plain.loss(1)
      plain.sgd.step()
      scaled.loss(1024)
      scaler.step(scaled.sgd)
    }
    expect(scaled.w.dataSync()).toEqual(plain.w.dataSync())
    expect(scaled.sgd.state()[0]?.dataSync()).toEqual(plain.sgd.state()[0]?.dataSync())
    scaler.dispose()
  })

  it.each([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN])('leaves a step with %d out', async bad => {
    using _all = scope()
    const { w, loss, sgd } = problem([1, bad, 0, 4])
    const scaler = optim.lossScaler({ device, initialScale: 8, growthInterval: 2 })
    loss(8)
    scaler.step(sgd)
    expect([...w.dataSync()]).toEqual(start)
    expect([...(sgd.state()[0] as Tensor).dataSync()]).toEqual([0, 0, 0, 0])
    expect(await scaler.update()).toBe(true)
    expect(scaler.state()).toEqual({ scale: 4, good: 0 })
    scaler.dispose()
  })

  it('doubles its scale after steps that went well, and can be stored', async () => {
    using _all = scope()
    const { loss, sgd } = problem([1, 1, 1, 1])
    const scaler = optim.lossScaler({ device, initialScale: 8, growthInterval: 2 })
    const scales: number[] = []
    for (let i = 0; i < 5; i++) {
      loss(scaler.state().scale)
      scaler.step(sgd)
      expect(await scaler.update()).toBe(false)
      scales.push(scaler.state().scale)
      expect(scaler.scale.dataSync()[0]).toBe(scales.at(-1))
    }
    expect(scales).toEqual([8, 16, 16, 32, 32])
    scaler.loadState({ scale: 2, good: 1 })
    expect(scaler.scale.dataSync()[0]).toBe(2)
    expect(scaler.state()).toEqual({ scale: 2, good: 1 })
    scaler.dispose()
  })

  it('multiplies a loss', () => {
    using _all = scope()
    const w = tensor([3], [1], { device, requiresGrad: true })
    const scaler = optim.lossScaler({ device, initialScale: 128 })
    scaler.backward(add(w, w).reshape([]) as Tensor<readonly [], 'f32'>)
    expect(w.grad?.dataSync()[0]).toBe(256)
    scaler.dispose()
  })

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 25, 2 ** -25, '2'])('refuses %s as first scale', x => {
    expect(() => optim.lossScaler({ initialScale: x as number })).toThrow(
      new RangeError(`lossScaler: expected a number from 2^-24 to 2^24 for initialScale but received ${x}`),
    )
  })

  it('refuses an interval of no steps', () => {
    expect(() => optim.lossScaler({ growthInterval: 0 })).toThrow(
      new RangeError('lossScaler: expected a growthInterval of 1 or more but received 0'),
    )
  })

  it('refuses a stored state that makes no sense, and stays as it was', () => {
    const scaler = optim.lossScaler({ device, initialScale: 8 })
    const scale = 'lossScaler: expected a number from 2^-24 to 2^24 for scale but received Infinity'
    expect(() => scaler.loadState({ scale: Number.POSITIVE_INFINITY, good: 0 })).toThrow(new RangeError(scale))
    const good = 'lossScaler: expected a whole number of 0 or more for good but received 0.5'
    expect(() => scaler.loadState({ scale: 2, good: 0.5 })).toThrow(new RangeError(good))
    expect([scaler.state(), scaler.scale.dataSync()[0]]).toEqual([{ scale: 8, good: 0 }, 8])
    scaler.dispose()
  })

  it('doubles at once when it is stored with more good steps than the interval has', async () => {
    using _all = scope()
    const { loss, sgd } = problem([1, 1, 1, 1])
    const scaler = optim.lossScaler({ device, growthInterval: 2 })
    scaler.loadState({ scale: 8, good: 5 })
    loss(8)
    scaler.step(sgd)
    await scaler.update()
    expect(scaler.state()).toEqual({ scale: 16, good: 0 })
    scaler.dispose()
  })
})
