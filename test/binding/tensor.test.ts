/** Handles of tensors at the native border: what they take, share and refuse, with the literal texts of the errors. */
import { describe, expect, it } from 'vitest'
import {
  DeviceError,
  DisposedError,
  DTypeError,
  OutOfMemoryError,
  ShapeError,
  UnsupportedError,
} from '../../src/errors.ts'
import { type NativeTensor, native, type TypedArray } from '../../src/native.ts'

const f32 = (values: number[], shape = [values.length], device = 'cpu') =>
  native.tensorCreate({ device, dtype: 'f32', shape }, new Float32Array(values))
const values = (x: NativeTensor) => [...native.tensorReadSync(x)]
// Calls that the compiler refuses.
const wrong = native as unknown as Record<string, (...args: unknown[]) => unknown>

function thrown(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  return expect.fail('nothing was thrown')
}

function expectError(call: () => unknown, kind: new (message: string) => Error, message: string): void {
  const error = thrown(call)
  expect(error).toBeInstanceOf(kind)
  expect((error as Error).message).toBe(message)
}

describe('tensorCreate', () => {
  it.each([
    ['f32', new Float32Array([1.5, -2, Number.NaN])],
    ['f64', new Float64Array([1e300, -0, 0.1])],
    ['i32', new Int32Array([-(2 ** 31), 2 ** 31 - 1, 0])],
    ['u8', new Uint8Array([0, 1, 255])],
  ] as [string, TypedArray][])('keeps every value of %s', async (dtype, data) => {
    const x = native.tensorCreate({ device: 'cpu', dtype, shape: [3] }, data)
    expect(native.tensorReadSync(x)).toEqual(data)
    expect(await native.tensorRead(x)).toEqual(data)
    expect(native.tensorInfo(x)).toEqual({ shape: [3], dtype, device: 'cpu' })
  })

  it('takes scalars and empty tensors', async () => {
    expect(values(f32([7], []))).toEqual([7])
    const empty = f32([], [2, 0])
    expect(values(empty)).toEqual([])
    expect(await native.tensorRead(empty)).toEqual(new Float32Array(0))
  })

  it('copies: later changes of the array do not count', () => {
    const data = new Float32Array([1, 2])
    const x = native.tensorCreate({ device: 'cpu', dtype: 'f32', shape: [2] }, data)
    data.fill(9)
    expect(values(x)).toEqual([1, 2])
  })

  it('takes shared memory and a view into a larger buffer', () => {
    const shared = new Float32Array(new SharedArrayBuffer(8))
    shared.set([3, 4])
    const view = new Float32Array(new Float32Array([0, 1, 2, 3]).buffer, 4, 2)
    for (const [data, expected] of [
      [shared, [3, 4]],
      [view, [1, 2]],
    ] as const) {
      expect(values(native.tensorCreate({ device: 'cpu', dtype: 'f32', shape: [2] }, data))).toEqual(expected)
    }
  })

  it('refuses a detached array', () => {
    const data = new Float32Array(2)
    structuredClone(data.buffer, { transfer: [data.buffer] })
    const call = () => native.tensorCreate({ device: 'cpu', dtype: 'f32', shape: [2] }, data)
    expectError(call, ShapeError, 'tensor: expected 2 values for shape [2] but received 0')
  })

  it('refuses an array that a getter detaches on the way', () => {
    const data = new Float32Array(2)
    const p = {
      device: 'cpu',
      dtype: 'f32',
      get shape() {
        structuredClone(data.buffer, { transfer: [data.buffer] })
        return [2]
      },
    }
    const call = () => native.tensorCreate(p, data)
    expectError(call, ShapeError, 'tensor: expected 2 values for shape [2] but received 0')
  })

  it.each([
    [[-1], ShapeError, 'tensor: expected whole sizes of 0 or more in shape but received -1'],
    [[1.5], ShapeError, 'tensor: expected whole sizes of 0 or more in shape but received 1.5'],
    [[Number.NaN], ShapeError, 'tensor: expected whole sizes of 0 or more in shape but received NaN'],
    [[2 ** 53], ShapeError, 'tensor: expected sizes of at most 2^53 - 1 in shape but received 9007199254740992'],
    [[2 ** 53 - 1, 2], ShapeError, 'shape: expected at most 2^53 elements but received more'],
    [['1'], TypeError, 'tensor: expected numbers in shape but received a string'],
    [[1n], TypeError, 'tensor: expected numbers in shape but received a bigint'],
    [new Array(9).fill(1), ShapeError, 'tensor: expected at most 8 dimensions for shape but received 9'],
    [new Array(2 ** 32 - 1), ShapeError, 'tensor: expected at most 8 dimensions for shape but received 4294967295'],
    ['2', TypeError, 'tensor: expected an array of sizes for shape but received a string'],
    [undefined, TypeError, 'tensor: expected an array of sizes for shape but received undefined'],
  ])('refuses a shape, case %#', (shape, kind, message) => {
    expectError(() => wrong.tensorCreate?.({ device: 'cpu', dtype: 'f32', shape }), kind, message)
  })

  it('refuses unknown names, with the beginning of a long one', () => {
    const name = 'é'.repeat(1e6)
    const start = `${'é'.repeat(20)}…`
    const create = (device: string, dtype: string) => () => native.tensorCreate({ device, dtype, shape: [1] })
    expectError(
      create(name, 'f32'),
      DeviceError,
      `device: expected cpu, reference, cuda, cuda:N or auto but received ${start}`,
    )
    expectError(
      create('cpu', name),
      DTypeError,
      `tensor: expected f32, f64, i32, u8, bf16 or f16 for dtype but received ${start}`,
    )
    expectError(
      create('tpu', 'f32'),
      DeviceError,
      'device: expected cpu, reference, cuda, cuda:N or auto but received tpu',
    )
  })

  it('refuses data of another type', () => {
    for (const data of [
      new Float64Array(1),
      new Uint8ClampedArray(4),
      new DataView(new ArrayBuffer(4)),
      [1],
      'x',
      null,
    ]) {
      const error = thrown(() => wrong.tensorCreate?.({ device: 'cpu', dtype: 'f32', shape: [1] }, data))
      expect(error).toBeInstanceOf(TypeError)
      expect((error as Error).message).toMatch(/^tensor: expected a typed array of dtype f32 for data but received /)
    }
  })
})

describe('a handle', () => {
  const x = f32([1, 2])
  const revocable = Proxy.revocable(x, {})
  revocable.revoke()

  it.each([
    ['undefined', undefined, 'undefined'],
    ['a number', 1.5, '1.5'],
    ['a symbol', Symbol('s'), 'a symbol'],
    ['an object', {}, 'another object'],
    ['an array', [x], 'an array'],
    ['a proxy of a handle', new Proxy(x, {}), 'another object'],
    ['a revoked proxy of one', revocable.proxy, 'another object'],
    ['an object that inherits from one', Object.create(x), 'another object'],
    ['a clone of one', structuredClone(x), 'another object'],
    ['a handle of another addon', new MessageChannel().port1, 'another object'],
  ])('is not %s', (_, value, described) => {
    expectError(() => wrong.reluForward?.(value), TypeError, `relu: expected a tensor for x but received ${described}`)
    expectError(() => wrong.tensorDispose?.(value), TypeError, `dispose: expected a tensor but received ${described}`)
  })

  it('stays valid when its prototype and properties are changed', () => {
    const y = f32([1, -2])
    Object.setPrototypeOf(y, Proxy.prototype ?? null)
    Object.assign(y, { shape: 'nonsense' })
    Object.freeze(y)
    expect(values(native.reluForward(y))).toEqual([1, 0])
  })

  it('is refused once it was disposed of, which may happen twice', () => {
    const y = f32([1])
    native.tensorDispose(y)
    native.tensorDispose(y)
    for (const call of [() => native.reluForward(y), () => native.addForward(f32([1]), y)]) {
      expect(thrown(call)).toBeInstanceOf(DisposedError)
    }
    expectError(
      () => native.tensorRead(y),
      DisposedError,
      'data: expected a live tensor for x but received a disposed one',
    )
  })

  it('may be disposed of while an op or a read of it waits', async () => {
    const y = f32([1, 2])
    const sum = native.addForward(y, y)
    const read = native.tensorRead(y)
    native.tensorDispose(y)
    f32([8, 9]) // takes the memory
    expect(values(sum)).toEqual([2, 4])
    expect([...(await read)]).toEqual([1, 2])
  })

  it('disposed of by a getter while the arguments are read is refused', () => {
    const y = f32([1])
    const p = {
      get dtype() {
        native.tensorDispose(y)
        return 'f32'
      },
    }
    expect(thrown(() => native.cast(y, p))).toBeInstanceOf(DisposedError)
  })

  it.each([new Error('mine'), 'text', 5, null, undefined, Symbol('s')])(
    'lets what a getter throws through: %s',
    mine => {
      const p = {
        get dtype(): string {
          throw mine
        },
      }
      expect(thrown(() => native.cast(f32([1]), p))).toBe(mine)
    },
  )

  it('shares its memory with those reshaped and retained from it', () => {
    const y = f32([1, 2, 3, 4])
    const square = native.tensorReshape(y, { shape: [2, 2] })
    const retained = native.tensorRetain(y)
    native.tensorDispose(y)
    native.fill(square, { value: 5 })
    expect(values(retained)).toEqual([5, 5, 5, 5])
    const call = () => native.tensorReshape(square, { shape: [3] })
    expectError(call, ShapeError, 'reshape: expected a shape of 4 elements for x [2, 2] but received [3]')
  })

  it('that is longer than a typed array can be is not read', () => {
    const y = native.tensorCreate({ device: 'cpu', dtype: 'u8', shape: [2 ** 33 + 1] })
    for (const read of [() => native.tensorReadSync(y), () => native.tensorRead(y)]) {
      const error = thrown(read)
      expect(error).toBeInstanceOf(OutOfMemoryError)
      expect((error as Error).message).toMatch(/^data: expected /)
    }
    native.tensorDispose(y)
  })
})

describe('tensors of one op', () => {
  it('are of one device', () => {
    const call = () => native.addForward(f32([1]), f32([1], [1], 'reference'))
    expectError(call, DeviceError, 'add: expected tensors of one device but received a on cpu and b on reference')
  })

  it('are of one floating dtype, which the device computes in', () => {
    const make = (dtype: string, device: string) => native.tensorCreate({ device, dtype, shape: [1] })
    expectError(
      () => native.addForward(make('f64', 'reference'), make('f32', 'reference')),
      DTypeError,
      'add: expected one dtype but received a f64 and b f32',
    )
    expectError(
      () => native.reluForward(make('i32', 'cpu')),
      DTypeError,
      'relu: expected a floating dtype for x but received i32',
    )
    expectError(
      () => native.reluForward(make('f64', 'cpu')),
      UnsupportedError,
      'relu: expected a dtype that device cpu computes in but received f64 (the device reference computes in f32 and f64)',
    )
  })
})

describe('one tensor given twice', () => {
  const sgd = { lr: 1, momentum: 0, weightDecay: 0, nesterov: false }

  it('is fine where it is read', () => {
    for (const device of ['cpu', 'reference']) {
      const a = f32([1, 2], [2], device)
      expect(values(native.addForward(a, a))).toEqual([2, 4])
      const square = f32([1, 2, 3, 4], [2, 2], device)
      expect(values(native.linearForward(square, square))).toEqual([5, 11, 11, 25])
    }
  })

  it('copied into itself stays as it is', () => {
    const a = f32([1, 2])
    native.copyInto(a, a)
    native.copyInto(native.tensorReshape(a, { shape: [2] }), a)
    expect(values(a)).toEqual([1, 2])
  })

  it.each([
    ['g and w', [0, 0, 1], 'w, which is updated, in memory of its own but received that of g'],
    ['g and v', [0, 1, 0], 'v, which is updated, in memory of its own but received that of g'],
    ['w and v', [0, 1, 1], 'w, which is updated, in memory of its own but received that of v'],
  ] as const)('is refused by sgdStep as %s', (_, order, message) => {
    const made = [f32([1]), f32([2])]
    const [g, w, v] = order.map(i => made[i] as NativeTensor) as [NativeTensor, NativeTensor, NativeTensor]
    expectError(() => native.sgdStep([g], [w], [v], sgd), TypeError, `sgdStep: expected ${message}`)
    const shared = native.tensorRetain(w)
    expect(thrown(() => native.sgdStep([f32([1])], [w], [shared], sgd))).toBeInstanceOf(TypeError)
    expect(made.map(values)).toEqual([[1], [2]])
  })

  it('is refused by sgdStep in two parameters, and nothing is updated', () => {
    const [w, v, g, other] = [f32([1]), f32([2]), f32([3]), f32([4])]
    const message = 'sgdStep: expected parameters in memory of their own but received two that share it'
    for (const [gs, ws, vs] of [
      [
        [g, f32([1])],
        [w, w],
        [v, other],
      ],
      [
        [g, f32([1])],
        [w, other],
        [v, v],
      ],
      [
        [g, w],
        [w, other],
        [v, f32([1])],
      ],
    ] as const) {
      expectError(() => native.sgdStep(gs, ws, vs, sgd), TypeError, message)
    }
    expect([w, v, g, other].map(values)).toEqual([[1], [2], [3], [4]])
  })

  it('sgdStep names what is wrong in its arrays', () => {
    const [g, w, v] = [f32([1]), f32([2]), f32([3])]
    const call = (gs: unknown, ws: unknown) => () => native.sgdStep(gs as [], ws as [], [v], sgd)
    expectError(call(g, [w]), TypeError, 'sgdStep: expected an array of tensors for g but received another object')
    expectError(call([g, 1], [w]), TypeError, 'sgdStep: expected a tensor for g[1] but received 1')
    expectError(call([], [w]), TypeError, 'sgdStep: expected as many g and v as w but received 0, 1 and 1')
    expectError(call([f32([1, 2])], [w]), ShapeError, 'sgdStep: expected g [1] but received g [2]')
    expect([w, v].map(values)).toEqual([[2], [3]])
    expect(native.sgdStep([], [], [], sgd)).toBeUndefined()
  })

  it('is refused by batchNorm2d as running statistics that are updated', () => {
    const p = { training: true, momentum: 0.5, epsilon: 0 }
    const [x, gamma, beta, mean, variance] = [f32([1, 3], [2, 1]), f32([1]), f32([0]), f32([0]), f32([1])]
    const statistics = native.batchNorm2dStatistics(x)
    const prepare = (runningMean: NativeTensor, runningVar: NativeTensor, params = p) =>
      native.batchNorm2dPrepare(x, gamma, beta, runningMean, runningVar, params, statistics)
    const message = (name: string, other: string) =>
      `batchNorm2d: expected ${name}, which is updated, in memory of its own but received that of ${other}`
    for (const [call, text] of [
      [() => prepare(gamma, variance), message('runningMean', 'gamma')],
      [() => prepare(mean, beta), message('runningVar', 'beta')],
      [() => prepare(mean, mean), message('runningVar', 'runningMean')],
    ] as const) {
      expectError(call, TypeError, text)
    }
    // In inference they are read.
    const norm = prepare(gamma, gamma, { ...p, training: false })
    expect(values(native.batchNorm2dApply(x, norm, { relu: false }))).toEqual([0, 2])
  })
})

describe('shapes without elements', () => {
  it('end ops at once, however large their other sizes', () => {
    for (const device of ['cpu', 'reference']) {
      const make = (shape: number[]) => native.tensorCreate({ device, dtype: 'f32', shape })
      const rows = make([2 ** 45, 0])
      const results = [
        native.softmaxForward(rows),
        native.linearForward(rows, make([0, 0])),
        native.linearBackwardInput(rows, make([0, 0])),
        native.linearBackwardBias(rows),
        native.globalAvgPool2dForward(make([2 ** 45, 1, 1, 0])),
        native.reorderForward(make([2 ** 20, 2 ** 20, 0, 4]), { factor: 2 }),
      ]
      for (const y of results) expect(values(y)).toEqual([])
    }
  })
})

describe('windows larger than the image', () => {
  it('take only its cells', () => {
    const p = { kernel: 2 ** 31 - 1, stride: 2 ** 31 - 1, padding: 2 ** 30 - 1 }
    for (const device of ['cpu', 'reference']) {
      const x = f32([1, 2, 3, 4], [1, 2, 2, 1], device)
      expect(values(native.maxPool2dForward(x, p))).toEqual([4])
      expect(values(native.avgPool2dForward(x, p))[0]).toBeCloseTo(0)
    }
  })
})
