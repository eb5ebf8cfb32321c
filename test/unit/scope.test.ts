/** Scopes: what they dispose of and when, what is kept, and who owns what when asynchronous calls run side by side. */
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { device, nn, ones, optim, relu, scope, type Tensor, tensor, tidy, zeros } from '../../src/index.ts'
import { currentScope } from '../../src/scope.ts'
import { bytesInUse } from '../support/gradients.ts'

const disposed = (...tensors: Tensor[]) => tensors.map(t => t.disposed)

describe('a scope', () => {
  it('disposes of what was made in it, and of nothing else', () => {
    const outside = zeros([1])
    const step = scope()
    const made = [zeros([1]), relu(outside), outside.clone(), outside.reshape([1, 1]), outside.detach()]
    step.dispose()
    const after = zeros([1])
    expect(disposed(...made)).toEqual([true, true, true, true, true])
    expect(disposed(outside, after)).toEqual([false, false])
    expect(step.ended).toBe(true)
    step.dispose()
    expect(after.disposed).toBe(false)
  })

  it('ends with its block, by an error too', () => {
    const made: Tensor[] = []
    expect(() => {
      using _ = scope()
      made.push(zeros([1]))
      throw new Error('mine')
    }).toThrow('mine')
    expect(disposed(...made)).toEqual([true])
    expect(currentScope()).toBeUndefined()
  })

  it('nests', () => {
    using outer = scope()
    const a = zeros([1])
    {
      using inner = scope()
      expect(currentScope()).toBe(inner)
      const b = zeros([1])
      inner.dispose()
      expect(disposed(a, b)).toEqual([false, true])
      expect(currentScope()).toBe(outer)
    }
    const c = zeros([1])
    outer.dispose()
    expect(disposed(a, c)).toEqual([true, true])
  })

  it('disposes in the order in which tensors were made', () => {
    const order: number[] = []
    const step = scope()
    for (const n of [1, 2, 3]) {
      const made = zeros([n])
      const dispose = made.dispose.bind(made)
      made.dispose = () => {
        order.push(n)
        dispose()
      }
    }
    step.dispose()
    expect(order).toEqual([1, 2, 3])
  })

  it('may end before one that was opened later', () => {
    const outer = scope()
    const a = zeros([1])
    const inner = scope()
    const b = zeros([1])
    outer.dispose()
    expect(disposed(a, b)).toEqual([true, false])
    const c = zeros([1])
    inner.keep(c)
    inner.dispose()
    expect(disposed(b, c)).toEqual([true, false])
    expect(currentScope()).toBeUndefined()
    c.dispose()
  })

  it('forgets what is disposed of by hand, in an inner scope too', () => {
    using _ = scope()
    const before = bytesInUse()
    const x = zeros([100])
    expect(x.owner).toBe(_)
    {
      using _ = scope()
      x.dispose()
    }
    expect([x.owner, bytesInUse()]).toEqual([undefined, before])
  })

  it('leaves parameters, gradients and velocities alone', () => {
    const step = scope()
    const layer = new nn.Linear({ inFeatures: 2, outFeatures: 2 })
    const sgd = optim.sgd(layer.parameters(), { lr: 0.1, momentum: 0.9 })
    layer.forward(ones([1, 2])).backward(ones([1, 2]))
    step.dispose()
    expect(disposed(...layer.parameters(), ...sgd.state())).toEqual([false, false, false, false])
    expect(layer.bias.grad?.disposed).toBe(false)
    sgd.step()
  })
})

describe('keep', () => {
  it('lets a tensor outlive the scope and returns it', () => {
    const step = scope()
    const kept = step.keep(tensor([7]))
    step.dispose()
    expect(kept.dataSync()).toEqual(Float32Array.of(7))
  })

  it('hands a tensor to the enclosing scope', () => {
    const outer = scope()
    const inner = scope()
    const kept = inner.keep(zeros([1]))
    inner.dispose()
    expect(kept.disposed).toBe(false)
    outer.dispose()
    expect(kept.disposed).toBe(true)
  })

  it('may be asked of an outer scope', () => {
    const outer = scope()
    const inner = scope()
    const kept = outer.keep(zeros([1]))
    inner.dispose()
    outer.dispose()
    expect(kept.disposed).toBe(false)
  })

  it('changes nothing for a tensor of an outer scope, a free one, or one that was disposed of', () => {
    const free = zeros([1])
    const outer = scope()
    const outers = zeros([1])
    const inner = scope()
    const gone = zeros([1])
    gone.dispose()
    for (const x of [free, outers, gone]) expect(inner.keep(x)).toBe(x)
    inner.dispose()
    expect(disposed(free, outers, gone)).toEqual([false, false, true])
    outer.dispose()
    expect(disposed(free, outers)).toEqual([false, true])
  })
})

describe('tidy', () => {
  it('disposes of everything but its result', () => {
    const inside: Tensor[] = []
    const result = tidy(() => {
      const x = zeros([2])
      inside.push(x)
      return relu(x)
    })
    expect(disposed(...inside, result)).toEqual([true, false])
    expect(tidy(() => 7)).toBe(7)
    expect(tidy(() => null)).toBeNull()
    expect(currentScope()).toBeUndefined()
  })

  it('hands its result to the enclosing scope', () => {
    const outer = scope()
    const result = tidy(() => zeros([1]))
    expect(result.disposed).toBe(false)
    outer.dispose()
    expect(result.disposed).toBe(true)
  })

  it('disposes of everything after an error', async () => {
    const made: Tensor[] = []
    const fail = () => {
      made.push(zeros([1]))
      throw new Error('mine')
    }
    expect(() => tidy(fail)).toThrow('mine')
    await expect(
      tidy(async () => {
        made.push(zeros([1]))
        await turn()
        fail()
      }),
    ).rejects.toThrow('mine')
    expect(disposed(...made)).toEqual([true, true, true])
  })

  it('waits for an asynchronous body', async () => {
    const made: Tensor[] = []
    const outer = scope()
    const pending = tidy(async () => {
      made.push(zeros([1]))
      await turn()
      made.push(zeros([1]))
      expect(disposed(...made)).toEqual([false, false])
      return relu(ones([1]))
    })
    const beside = zeros([1])
    expect(beside.owner).toBe(outer)
    const result = await pending
    expect(disposed(...made, beside, result)).toEqual([true, true, false, false])
    outer.dispose()
    expect(disposed(beside, result)).toEqual([true, true])
  })

  it('keeps a scope that its body leaves open to itself', () => {
    const outer = scope()
    let open: Disposable | undefined
    tidy(() => {
      open = scope()
    })
    expect(currentScope()).toBe(outer)
    open?.[Symbol.dispose]()
    outer.dispose()
  })
})

describe('asynchronous calls', () => {
  /** A loop with a scope for every step; checks that its own tensors live exactly as long as the step. */
  async function loop(steps: number, waits: number): Promise<void> {
    for (let i = 0; i < steps; i++) {
      const made: Tensor[] = []
      {
        using step = scope()
        for (let wait = 0; wait < waits; wait++) {
          const x = tensor([i, -i])
          made.push(x, relu(x))
          await turn()
          expect(currentScope()).toBe(step)
          expect(await (made.at(-1) as Tensor).data()).toEqual(Float32Array.of(i, 0))
        }
      }
      expect(made.every(x => x.disposed)).toBe(true)
    }
  }

  it('run side by side without disposing of the tensors of each other', async () => {
    await Promise.all([loop(5, 1), loop(4, 3), loop(3, 2)])
    expect(currentScope()).toBeUndefined()
  })

  it('do not own what is made after they were awaited', async () => {
    const predict = async () => {
      using _ = scope()
      const y = relu(tensor([1, -1]))
      await turn()
      return Array.from(await y.data())
    }
    expect(await predict()).toEqual([1, 0])
    const after = zeros([1])
    expect(after.owner).toBeUndefined()
    await predict()
    expect(after.disposed).toBe(false)
    using outer = scope()
    await predict()
    expect(zeros([1]).owner).toBe(outer)
  })

  it('own, without tidy, what their caller makes before it awaits them; with tidy they do not', async () => {
    const wait = async () => {
      using _ = scope()
      await turn()
    }
    const bare = wait()
    const lost = zeros([1])
    await bare
    expect(lost.disposed).toBe(true)
    const tidied = tidy(wait)
    const safe = zeros([1])
    await tidied
    expect(safe.disposed).toBe(false)
  })

  it('keep what they return, side by side, under tidy', async () => {
    using outer = scope()
    const results = await Promise.all(
      [3, 1, 2].map(turns =>
        tidy(async () => {
          using step = scope()
          const y = relu(tensor([turns]))
          for (let i = 0; i < turns; i++) await turn()
          return step.keep(y)
        }),
      ),
    )
    expect(results.map(y => Array.from(y.dataSync()))).toEqual([[3], [1], [2]])
    expect(results.map(y => y.owner)).toEqual([outer, outer, outer])
  })

  it('own what callbacks make that were set up in them, as long as they last', async () => {
    const made: Tensor[] = []
    const later = (ms: number) => new Promise<void>(done => setTimeout(() => done(void made.push(zeros([1]))), ms))
    const step = scope()
    const [soon, late] = [later(1), later(30)]
    await soon
    expect(made[0]?.owner).toBe(step)
    step.dispose()
    await late
    expect(disposed(...made)).toEqual([true, false])
  })
})

it('a training step in a scope uses the same memory every time', () => {
  const layer = new nn.Linear({ inFeatures: 16, outFeatures: 4 })
  const sgd = optim.sgd(layer.parameters(), { lr: 0.1, momentum: 0.9 })
  const [x, labels] = [ones([8, 16]), zeros([8], { dtype: 'i32' })]
  const use = Array.from({ length: 10 }, () => {
    {
      using _ = scope()
      nn.crossEntropy(layer.forward(x), labels).backward()
      sgd.step()
    }
    return device.memory()
  })
  expect(use[9]).toEqual(use[2])
})
