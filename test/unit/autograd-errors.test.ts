/** The tape: the literal text of every error of backward(), and that nothing is lost or changed then. */
import { describe, expect, it } from 'vitest'
import {
  add,
  linear,
  noGrad,
  ones,
  optim,
  relu,
  reorder,
  softmax,
  type Tensor,
  tensor,
  zeros,
} from '../../src/index.ts'
import { native } from '../../src/native.ts'
import { record } from '../../src/ops/record.ts'
import { bytesInUse, gradient, leaf } from '../support/gradients.ts'

describe('errors of backward', () => {
  it('for a tensor without a tape', () => {
    const message = 'backward: expected a tensor that depends on one with requiresGrad but received none'
    expect(() => zeros([]).backward()).toThrow(message)
    expect(() => relu(leaf(1)).detach().backward()).toThrow(message)
  })

  it('for more than one element', () => {
    expect(() => relu(ones([2, 3], { requiresGrad: true })).backward()).toThrow(
      'backward: expected a scalar, or a gradient as argument, but received a tensor [2, 3]',
    )
  })

  it('for a gradient that does not fit; the tape stays whole', () => {
    const x = leaf(1, 2)
    const y = relu(x)
    expect(() => y.backward(ones([3]) as never)).toThrow('backward: expected a gradient [2] but received [3]')
    expect(() => y.backward(ones([2], { dtype: 'f64' }) as never)).toThrow(
      expect.objectContaining({ name: 'DTypeError', message: 'backward: expected a gradient of f32 but received f64' }),
    )
    expect(() => y.backward(ones([2], { device: 'reference' }))).toThrow(
      expect.objectContaining({
        name: 'DeviceError',
        message: 'backward: expected a gradient on cpu but received one on reference',
      }),
    )
    y.backward(ones([2]))
    expect(gradient(x)).toEqual([1, 1])
  })

  it('for a second walk, with nothing changed', () => {
    const x = leaf(1)
    const y = relu(softmax(x))
    y.backward()
    const [before, bytes] = [gradient(x), bytesInUse()]
    const message =
      'backward: expected a graph that was not walked yet but the tensors saved by relu were freed by an earlier backward()'
    expect(() => y.backward()).toThrow(expect.objectContaining({ name: 'DisposedError', message }))
    expect([gradient(x), bytesInUse()]).toEqual([before, bytes])
  })

  it('for values that were changed in place since the forward pass, with no gradient changed', () => {
    const w = tensor([3, 3, 3, 3], [2, 2], { requiresGrad: true })
    const x = tensor([1, 1], [1, 2], { requiresGrad: true })
    const changes = [
      () => w.assign(Float32Array.of(1, 2, 3, 4)),
      () => w.reshape([4]).assign(ones([4])),
      () => optim.sgd([w], { lr: 1 }).step(),
    ]
    const message =
      "backward: expected the values that linear used but received a tensor [2, 2] f32 that was changed in place since, by assign() or an optimiser's step"
    for (const change of changes) {
      linear(x, w).backward(ones([1, 2]))
      const [y, dy] = [relu(linear(x, w)), ones([1, 2])]
      change()
      const [before, bytes] = [gradient(x), bytesInUse()]
      expect(() => y.backward(dy)).toThrow(
        expect.objectContaining({ name: 'ChangedError', code: 'ERR_IGC_CHANGED', message }),
      )
      expect([gradient(x), bytesInUse()]).toEqual([before, bytes])
    }
  })

  it('for writing into the result of an op, whose gradients would stay those of the op', () => {
    const x = leaf(1, 2)
    const y = add(x, x)
    const source = tensor([7, 7], [2])
    for (const result of [y, y.reshape([1, 2]).reshape([2])]) {
      expect(() => result.assign(source)).toThrow(
        expect.objectContaining({
          name: 'ChangedError',
          message: 'assign: expected a leaf but received the result of add, whose gradients it has; work on a clone()',
        }),
      )
    }
    expect([...y.dataSync()]).toEqual([2, 4])
    y.clone().assign(source)
    noGrad(() => add(x, x)).assign(source)
    x.reshape([2]).assign(source) // the memory of a leaf
    expect([...x.dataSync()]).toEqual([7, 7])
  })

  it('not for changes of what no gradient needs', () => {
    const w = tensor([3, 3], [1, 2], { requiresGrad: true })
    const x = tensor([1, 2], [1, 2])
    const y = add(linear(x, w), linear(x, w)) // x alone is needed for the gradient of w
    w.assign(ones([1, 2]))
    y.backward()
    expect(gradient(w)).toEqual([2, 4])
  })

  it('for a gradient that is no tensor', () => {
    const y = relu(leaf(1))
    for (const [wrong, received] of [
      [null, 'null'],
      [1, '1'],
      [[1], 'an array'],
    ] as const) {
      expect(() => y.backward(wrong as never)).toThrow(
        new TypeError(`backward: expected a tensor for gradient but received ${received}`),
      )
    }
  })

  it('for a grad of another shape that gradients cannot be added to, with no memory lost', () => {
    const x = leaf(1, 2)
    x.grad = zeros([3]) as never
    const dy = ones([2])
    const y = relu(x)
    const bytes = bytesInUse()
    expect(() => y.backward(dy)).toThrow('add: expected')
    expect(bytesInUse()).toBe(bytes)
  })

  it('for a tape of which a part was walked', () => {
    const x = leaf(1)
    const shared = relu(x)
    softmax(shared).backward()
    expect(() => reorder(shared, { factor: 1 }).backward()).toThrow(
      'backward: expected a graph that was not walked yet but the tensors saved by relu were freed',
    )
  })

  it('for a disposed result, and for a disposed gradient', () => {
    const x = leaf(1)
    const y = relu(x)
    y.dispose()
    expect(() => y.backward()).toThrow('tensor: expected a live tensor but received one [1] that was disposed of')
    const dy = ones([1])
    dy.dispose()
    expect(() => relu(x).backward(dy)).toThrow('tensor: expected a live tensor but received one [1] that was')
  })

  it('for a rule that brings too few gradients, or one that nobody asked for', () => {
    const x = leaf(1)
    const broken = (gradients: (dy: never) => readonly (never | undefined)[], inputs: Tensor[]) =>
      record('broken', inputs, native.reluForward(x.handle), {}, dy => gradients(dy as never))
    expect(() => broken(() => [], [x]).backward()).toThrow('broken: expected gradients for inputs true but received ')
    expect(() => broken(() => [undefined], [x]).backward()).toThrow(
      expect.objectContaining({
        name: 'InternalError',
        message: 'broken: expected gradients for inputs true but received false',
      }),
    )
    expect(() => broken(dy => [dy, dy], [x, zeros([1])]).backward()).toThrow(
      'broken: expected gradients for inputs true,false but received true,true',
    )
  })
})
