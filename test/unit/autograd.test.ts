/** The tape: what accumulates, what is freed and when. Errors: autograd-errors.test.ts; rules: test/gradcheck. */
import { describe, expect, it } from 'vitest'
import {
  add,
  type DType,
  linear,
  noGrad,
  ones,
  optim,
  relu,
  reorder,
  scope,
  softmax,
  type Tensor,
  tensor,
  zeros,
} from '../../src/index.ts'
import { native } from '../../src/native.ts'
import { record } from '../../src/ops/record.ts'
import { bytesInUse, gradient, leaf } from '../support/gradients.ts'

describe('gradients', () => {
  it('add up over several walks until they are freed', () => {
    const x = leaf(1, -2, 3)
    relu(x).backward(tensor([1, 1, 1]))
    relu(x).backward(tensor([10, 10, 10]))
    expect(gradient(x)).toEqual([11, 0, 11])
    optim.sgd([x], { lr: 0 }).step()
    expect(x.grad).toBeUndefined()
    relu(x).backward(tensor([5, 5, 5]))
    expect(gradient(x)).toEqual([5, 0, 5])
  })

  it('add up where paths meet', () => {
    const x = leaf(1, -2, 3)
    const y = relu(x)
    add(add(y, y), add(x, y)).backward(tensor([1, 2, 4]))
    expect(gradient(x)).toEqual([4, 2, 16])
  })

  it('walk a diamond of diamonds once, and not once per path', () => {
    const x = leaf(1)
    let y: Tensor<readonly [number], 'f32'> = x
    for (let i = 0; i < 60; i++) y = add(y, y)
    y.backward()
    expect(gradient(x)).toEqual([2 ** 60])
  })

  it('walk a chain of 20,000 ops without filling the stack, and so does disposing of it', () => {
    using _ = scope()
    const x = leaf(1)
    const chain = () => {
      let y: Tensor<readonly [number], 'f32'> = x
      for (let i = 0; i < 20_000; i++) y = relu(y)
      return y
    }
    chain().backward()
    expect(gradient(x)).toEqual([1])
    chain()
  })

  it('go to every leaf, and to none that does not ask', () => {
    const [x, w, b] = [ones([2, 3], { requiresGrad: true }), ones([4, 3]), zeros([4], { requiresGrad: true })]
    linear(x, w, b).backward(ones([2, 4]))
    expect(gradient(x)).toEqual([4, 4, 4, 4, 4, 4])
    expect(gradient(b)).toEqual([2, 2, 2, 2])
    expect(w.grad).toBeUndefined()
  })

  it('need no gradient themselves, and have shape, dtype and device of their tensor', () => {
    const x = ones([2, 3], { requiresGrad: true, dtype: 'f64', device: 'reference' })
    softmax(x).backward(ones([2, 3], { dtype: 'f64', device: 'reference' }))
    expect(String(x.grad)).toBe('Tensor [2, 3] f64 on reference')
    expect(x.grad?.requiresGrad).toBe(false)
  })

  it('of a leaf itself are the gradient that is given', () => {
    const x = leaf(3)
    x.backward()
    x.backward(tensor([4]))
    expect(gradient(x)).toEqual([5])
  })

  it('have memory of their own, not that of the gradient that was given', () => {
    const [p, x, seed] = [leaf(0), tensor([1]), tensor([1])]
    add(x, p).backward(seed)
    seed.assign(Float32Array.of(100))
    expect(gradient(p)).toEqual([1])
    add(x, p).backward(seed)
    expect(gradient(p)).toEqual([101])
    const q = leaf(0)
    q.backward(seed)
    q.grad?.assign(Float32Array.of(5))
    expect([...seed.dataSync()]).toEqual([100])
  })

  it('of several leaves have memory of their own', () => {
    const [a, b] = [leaf(1, 2), leaf(3, 4)]
    add(a, b.reshape([2])).backward(tensor([1, 1]))
    a.grad?.assign(Float32Array.of(5, 6))
    expect(gradient(b)).toEqual([1, 1])
  })

  it('flow through reshape', () => {
    const x = leaf(1, -2, 3, 4)
    relu(x.reshape([2, 2]))
      .reshape([4])
      .backward(tensor([1, 2, 3, 4], [4]))
    expect(gradient(x)).toEqual([1, 0, 3, 4])
  })

  it('start again after a gradient was disposed of by hand', () => {
    const x = leaf(1)
    relu(x).backward()
    x.grad?.dispose()
    relu(x).backward()
    expect(gradient(x)).toEqual([1])
  })

  it('are dropped when their leaf was disposed of', () => {
    const before = bytesInUse()
    {
      using _ = scope()
      const [x, w] = [leaf(1), leaf(2)]
      const y = add(relu(x), w)
      x.dispose()
      y.backward()
      expect([x.grad, gradient(w)]).toEqual([undefined, [1]])
    }
    expect(bytesInUse()).toBe(before)
  })

  it('are not lost in a scope that ends', () => {
    const x = leaf(2)
    {
      using _ = scope()
      relu(x).backward()
    }
    expect(gradient(x)).toEqual([1])
    {
      using _ = scope()
      relu(x).backward()
    }
    expect(gradient(x)).toEqual([2])
  })
})

describe('leaves', () => {
  it('can be told', () => {
    const x = leaf(1)
    const y = relu(x)
    expect([x.isLeaf, y.isLeaf, y.detach().isLeaf, zeros([1]).isLeaf]).toEqual([true, false, true, true])
    expect([x.requiresGrad, y.requiresGrad, y.detach().requiresGrad, zeros([1]).requiresGrad]).toEqual([
      true,
      true,
      false,
      false,
    ])
  })

  it('can be frozen and thawed', () => {
    const x = leaf(1)
    x.requiresGrad = false
    expect(relu(x).requiresGrad).toBe(false)
    x.requiresGrad = true
    const y = relu(x)
    x.requiresGrad = false
    y.backward()
    expect(x.grad).toBeUndefined()
    x.requiresGrad = true
    relu(x).backward()
    expect(gradient(x)).toEqual([1])
  })

  it('are of a floating dtype', () => {
    for (const dtype of ['i32', 'u8'] satisfies DType[]) {
      const message = `requiresGrad: expected a floating dtype but received ${dtype}`
      const whole: Tensor = zeros([1], { dtype })
      expect(() => {
        whole.requiresGrad = true
      }).toThrow(message)
      whole.requiresGrad = false
      expect(() => zeros([1], { dtype, requiresGrad: true })).toThrow(message)
    }
  })

  it('are no results of ops', () => {
    const y = relu(leaf(1))
    expect(() => {
      y.requiresGrad = false
    }).toThrow('requiresGrad: expected a leaf but received the result of an op; detach() it first')
    const free = y.detach()
    free.requiresGrad = true
    expect(free.isLeaf).toBe(true)
  })
})

describe('what is not recorded', () => {
  it('is everything in noGrad', () => {
    const x = leaf(1, 2)
    const before = bytesInUse()
    noGrad(() => {
      using _ = scope()
      for (const y of [relu(x), x.reshape([2, 1]), softmax(relu(x))]) expect(y.requiresGrad).toBe(false)
    })
    expect(bytesInUse()).toBe(before)
    expect(relu(x).requiresGrad).toBe(true)
  })

  it('lasts over awaits, and does not reach what runs beside it', async () => {
    const x = leaf(1)
    const beside: boolean[] = []
    const quiet = noGrad(async () => {
      const first = relu(x).requiresGrad
      await x.data()
      return [first, relu(x).requiresGrad]
    })
    for (let i = 0; i < 3; i++) {
      beside.push(relu(x).requiresGrad)
      await x.data()
    }
    expect(await quiet).toEqual([false, false])
    expect(beside).toEqual([true, true, true])
  })

  it('ends with an error', () => {
    expect(() =>
      noGrad(() => {
        throw new Error('mine')
      }),
    ).toThrow('mine')
    expect(relu(leaf(1)).requiresGrad).toBe(true)
  })

  it('lets a walk happen all the same', () => {
    const x = leaf(1)
    const y = relu(x)
    noGrad(() => y.backward())
    expect(gradient(x)).toEqual([1])
  })

  it('is what a detached tensor stands for', () => {
    const x = leaf(1)
    add(relu(x), relu(x).detach()).backward()
    expect(gradient(x)).toEqual([1])
  })
})

describe('memory', () => {
  const network = (x: Tensor<readonly [8, 16], 'f32'>, w: Tensor<readonly [16, 16], 'f32'>) => {
    const a = linear(x, w)
    const b = relu(a)
    const c = linear(b, w)
    for (const y of [a, b]) y.dispose()
    return c
  }
  const [x, w] = [ones([8, 16]), ones([16, 16], { requiresGrad: true })]

  it('saved for a walk is freed by it, although the result lives', () => {
    using _ = scope()
    const dy = ones([8, 16])
    const before = bytesInUse()
    const y = network(x, w)
    const size = 8 * 16 * 4
    expect(bytesInUse()).toBeGreaterThanOrEqual(before + 2 * size) // the result, and what relu saved
    y.backward(dy)
    w.grad?.dispose()
    expect(bytesInUse()).toBe(before + size)
  })

  it('saved for a walk that never comes is freed when the result is disposed of', () => {
    const before = bytesInUse()
    const y = network(x, w)
    const z = softmax(y)
    y.dispose()
    expect(bytesInUse()).toBeGreaterThan(before)
    z.dispose()
    expect(bytesInUse()).toBe(before)
  })

  it('is freed by a walk that fails', () => {
    using _ = scope()
    const dy = ones([8, 16])
    const before = bytesInUse()
    const y = network(x, w)
    const failing = record('failing', [y], native.reluForward(y.handle), {}, () => {
      throw new Error('mine')
    })
    expect(() => failing.backward(dy as Tensor)).toThrow('mine')
    y.dispose()
    failing.dispose()
    expect(bytesInUse()).toBe(before)
  })

  it('stays for the results that are still alive', () => {
    const learn = tensor([1, -1], [2], { requiresGrad: true })
    const trunk = relu(learn)
    const [left, right] = [softmax(trunk), reorder(trunk, { factor: 1 })]
    trunk.dispose()
    left.dispose()
    right.backward(tensor([3, 4], [2]))
    expect(gradient(learn)).toEqual([3, 0])
  })

  it('is the same after every training step, without a scope', () => {
    const sgd = optim.sgd([w], { lr: 0.01, momentum: 0.9 })
    const target = ones([8, 16])
    const step = () => {
      const y = network(x, w)
      y.backward(target)
      sgd.step()
      y.dispose()
      return bytesInUse()
    }
    const first = step()
    for (let i = 0; i < 10; i++) expect(step()).toBe(first)
  })
})
