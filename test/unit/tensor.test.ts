/** Tensors: how they are made, read, shared, changed and disposed of, and the literal text of every error. */
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { type ArrayOf, type DType, full, ones, relu, type Shape, Tensor, tensor, zeros } from '../../src/index.ts'
import { bytesInUse } from '../support/gradients.ts'

const disposedText =
  'tensor: expected a live tensor but received one [2, 3] that was disposed of (by dispose() or at the end of its scope)'

describe('creation', () => {
  it('takes numbers as f32, and typed arrays as what they are', () => {
    const cases = [
      [[1, 2], 'f32', Float32Array.of(1, 2)],
      [Float32Array.of(1.5, 2), 'f32', Float32Array.of(1.5, 2)],
      [Float64Array.of(0.1, 2), 'f64', Float64Array.of(0.1, 2)],
      [Int32Array.of(-1, 2), 'i32', Int32Array.of(-1, 2)],
      [Uint8Array.of(255, 0), 'u8', Uint8Array.of(255, 0)],
    ] as const
    for (const [data, dtype, values] of cases) {
      const made = tensor(data)
      expect([made.dtype, made.shape, made.device, made.size, made.requiresGrad]).toEqual([dtype, [2], 'cpu', 2, false])
      expect(made.dataSync()).toEqual(values)
    }
  })

  it('copies the values', () => {
    const source = Float32Array.of(1, 2)
    const made = tensor(source)
    source[0] = 9
    expect(made.dataSync()).toEqual(Float32Array.of(1, 2))
    made.dataSync()[0] = 7
    expect(made.dataSync()).toEqual(Float32Array.of(1, 2))
  })

  it('reads only the part of a buffer that the typed array shows', () => {
    expect(tensor(Float32Array.of(1, 2, 3, 4).subarray(1, 3)).dataSync()).toEqual(Float32Array.of(2, 3))
    expect(tensor(Buffer.from([7, 8])).dataSync()).toEqual(Uint8Array.of(7, 8))
  })

  it('converts to the dtype that is asked for, as cast does', () => {
    const odd = [1.9, -1.9, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3e9, -3e9, 256]
    const i32 = Int32Array.of(1, -1, 0, 2147483647, -2147483648, 2147483647, -2147483648, 256)
    const u8 = Uint8Array.of(1, 0, 0, 255, 0, 255, 0, 255)
    expect(tensor(odd, [8], { dtype: 'i32' }).dataSync()).toEqual(i32)
    expect(tensor(odd, [8], { dtype: 'u8' }).dataSync()).toEqual(u8)
    expect(tensor(odd).cast('i32').dataSync()).toEqual(i32)
    expect(tensor(odd).cast('u8').dataSync()).toEqual(u8)
    expect(tensor(Int32Array.of(300, -1), [2], { dtype: 'u8' }).dataSync()).toEqual(Uint8Array.of(255, 0))
    expect(tensor(Int32Array.of(300, -1)).cast('u8').dataSync()).toEqual(Uint8Array.of(255, 0))
    const wide = tensor(Float64Array.of(0.1, 1e39))
    expect(wide.cast('f32').dataSync()).toEqual(Float32Array.of(0.1, 1e39))
    expect(tensor(Float32Array.of(0.1)).cast('f64').dataSync()).toEqual(Float64Array.of(Math.fround(0.1)))
  })

  it('casts from every dtype to every other', () => {
    const dtypes: DType[] = ['f32', 'f64', 'i32', 'u8']
    for (const from of dtypes) {
      for (const to of dtypes) {
        const made = tensor([0, 3, 200], [3], { dtype: from }).cast(to)
        expect([made.dtype, Array.from(made.dataSync())]).toEqual([to, [0, 3, 200]])
      }
    }
  })

  it('fills', () => {
    expect(zeros([2]).dataSync()).toEqual(Float32Array.of(0, 0))
    expect(ones([2], { dtype: 'i32' }).dataSync()).toEqual(Int32Array.of(1, 1))
    expect(full([2], 0.1, { dtype: 'f64', device: 'reference' }).dataSync()).toEqual(Float64Array.of(0.1, 0.1))
    expect(full([1], Number.NaN).dataSync()).toEqual(Float32Array.of(Number.NaN))
  })

  it('makes scalars and empty tensors', () => {
    const scalar = tensor([4], [])
    expect([scalar.shape, scalar.size, scalar.dataSync()]).toEqual([[], 1, Float32Array.of(4)])
    for (const shape of [[0], [0, 3], [2, 0, 5]]) {
      const empty = zeros(shape)
      expect([empty.shape, empty.size, empty.dataSync()]).toEqual([shape, 0, new Float32Array()])
      expect(relu(empty).shape).toEqual(shape)
      expect(empty.clone().reshape([0, 7]).shape).toEqual([0, 7])
    }
    expect(tensor([]).shape).toEqual([0])
  })

  it('takes up to eight dimensions', () => {
    expect(zeros([1, 1, 1, 1, 2, 1, 1, 1]).shape).toHaveLength(8)
    expect(() => zeros([1, 1, 1, 1, 1, 1, 1, 1, 1])).toThrow(
      'tensor: expected at most 8 dimensions for shape but received 9',
    )
  })

  it.each<[Shape, string, string]>([
    [[Number.NaN], 'ShapeError', 'tensor: expected whole sizes of 0 or more in shape but received NaN'],
    [[-1], 'ShapeError', 'tensor: expected whole sizes of 0 or more in shape but received -1'],
    [[1.5], 'ShapeError', 'tensor: expected whole sizes of 0 or more in shape but received 1.5'],
    [[2 ** 53], 'ShapeError', 'tensor: expected sizes of at most 2^53 - 1 in shape but received 9007199254740992'],
    [[2 ** 30, 2 ** 30], 'ShapeError', 'shape: expected at most 2^53 elements but received more'],
    [[0, 2 ** 52, 2 ** 52], 'ShapeError', 'shape: expected at most 2^53 elements but received more'],
    [['2'] as unknown as Shape, 'TypeError', 'tensor: expected numbers in shape but received a string'],
    [3 as unknown as Shape, 'TypeError', 'tensor: expected an array of sizes for shape but received 3'],
  ])('refuses the shape %s', (shape, name, message) => {
    expect(() => zeros(shape)).toThrow(expect.objectContaining({ name, message }))
  })

  it('refuses more memory than there is, with the sizes', () => {
    expect(() => zeros([2 ** 44])).toThrow(
      expect.objectContaining({
        code: 'ERR_IGC_OUT_OF_MEMORY',
        message: expect.stringMatching(
          /^device cpu: out of memory: 70368744177664 bytes were asked for, \d+ are in use by \d+ tensors, \d+ are available, the limit is \d+$/,
        ),
      }),
    )
  })

  it.each<[unknown, string]>([
    ['ab', 'a string'],
    [7, '7'],
    [null, 'null'],
    [[1, undefined], 'undefined at position 1'],
    [[1, 2, '3'], 'a string at position 2'],
    [[[1, 2]], 'an array at position 0'],
    [new DataView(new ArrayBuffer(8)), 'an object'],
    [new BigInt64Array(2), 'an object'],
    [Object.create(null), 'an object'],
  ])('refuses the values number %#', (data, received) => {
    const message = `tensor: expected a typed array or an array of numbers for data but received ${received}`
    expect(() => tensor(data as number[])).toThrow(new TypeError(message))
  })

  it('refuses typed arrays whose memory was transferred or cut off, with a shape and without', () => {
    // TypeScript's es2022 does not know these.
    const Resizable = ArrayBuffer as unknown as new (
      size: number,
      options: { maxByteLength: number },
    ) => ArrayBuffer & { resize(size: number): void }
    const buffer = new Resizable(16, { maxByteLength: 16 })
    const [moved, cut] = [new Float32Array(4), new Float32Array(buffer, 8)]
    structuredClone(moved.buffer, { transfer: [moved.buffer] })
    buffer.resize(4)
    const message = 'tensor: expected a typed array with memory but that of data was transferred or cut off'
    for (const data of [moved, cut]) {
      expect(() => tensor(data)).toThrow(new TypeError(message))
      expect(() => tensor(data, [4])).toThrow(new TypeError(message))
    }
    expect(tensor(new Float32Array(0)).shape).toEqual([0])
  })

  it('refuses a number of values that does not fit, an unknown dtype and an unknown device', () => {
    expect(() => tensor([1, 2, 3], [2, 2])).toThrow('tensor: expected 4 values for shape [2, 2] but received 3')
    for (const dtype of ['f8', 'toString']) {
      const message = `tensor: expected f32, f64, i32, u8, bf16 or f16 for dtype but received ${dtype}`
      expect(() => tensor([1], [1], { dtype: dtype as DType })).toThrow(message)
      expect(() => zeros([1], { dtype: dtype as DType })).toThrow(message)
    }
    expect(() => zeros([1], { device: 'gpu' as 'cpu' })).toThrow(
      'device: expected cpu, reference, cuda, cuda:N or auto but received gpu',
    )
  })

  it('keeps nothing of a tensor that it refuses to make learn', () => {
    const before = bytesInUse()
    expect(() => zeros([1000], { dtype: 'i32', requiresGrad: true })).toThrow(
      'requiresGrad: expected a floating dtype but received i32',
    )
    expect(bytesInUse()).toBe(before)
  })
})

it.each([
  ['f32', 'Float32Array'],
  ['f64', 'Float64Array'],
  ['i32', 'Int32Array'],
  ['u8', 'Uint8Array'],
  ['f32', 'Int16Array'],
])('%s comes of a %s of another realm', (dtype, name) => {
  const made = tensor(runInNewContext(`new ${name}([200, 2])`) as Float32Array, [2], { device: 'reference' })
  expect([made.dtype, ...made.dataSync()]).toEqual([dtype, 200, 2])
  expect(() => tensor(runInNewContext('new BigInt64Array(2)'))).toThrow(
    'tensor: expected a typed array or an array of numbers for data but received an object',
  )
})

describe('reading', () => {
  it('gives the values, synchronous or not', async () => {
    const made = tensor([1, 2, 3], [3], { dtype: 'i32' })
    expect(made.dataSync()).toEqual(Int32Array.of(1, 2, 3))
    expect(await made.data()).toEqual(Int32Array.of(1, 2, 3))
  })

  it('ends although the tensor is disposed of meanwhile', async () => {
    const made = tensor([1, 2, 3])
    const pending = made.data()
    made.dispose()
    expect(await pending).toEqual(Float32Array.of(1, 2, 3))
  })

  it('gives the one element of a tensor that has one', async () => {
    expect(await tensor([4.5], []).item()).toBe(4.5)
    expect(await tensor([3], [1, 1], { dtype: 'u8' }).item()).toBe(3)
    await expect(zeros([2, 3]).item()).rejects.toThrow('item: expected one element but received a tensor [2, 3]')
    await expect(zeros([0]).item()).rejects.toThrow('item: expected one element but received a tensor [0]')
  })

  it('shows itself', () => {
    const made = zeros([2, 3], { dtype: 'u8', device: 'reference' })
    expect(String(made)).toBe('Tensor [2, 3] u8 on reference')
    made.dispose()
    expect(String(made)).toBe('Tensor [2, 3] u8 on reference (disposed)')
    expect(String(zeros([]))).toBe('Tensor [] f32 on cpu')
  })
})

describe('sharing and changing', () => {
  it('shares memory with what reshape and detach give, and not with a clone or a cast', () => {
    const made = tensor([1, 2, 3, 4, 5, 6], [2, 3])
    const [rows, same, copy, cast] = [made.reshape([3, 2]), made.detach(), made.clone(), made.cast('f32')]
    made.assign(Float32Array.of(6, 5, 4, 3, 2, 1))
    expect(rows.shape).toEqual([3, 2])
    expect(rows.dataSync()).toEqual(Float32Array.of(6, 5, 4, 3, 2, 1))
    expect(same.dataSync()).toEqual(Float32Array.of(6, 5, 4, 3, 2, 1))
    expect(copy.dataSync()).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6))
    expect(cast.dataSync()).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6))
  })

  it('lives on in what shares its memory', () => {
    const before = bytesInUse()
    const made = tensor([1, 2, 3, 4])
    const rows = made.reshape([2, 2])
    made.dispose()
    expect(rows.dataSync()).toEqual(Float32Array.of(1, 2, 3, 4))
    rows.dispose()
    expect(bytesInUse()).toBe(before)
  })

  it('assigns tensors and arrays', () => {
    const made = zeros([2])
    made.assign(tensor([1, 2], [2]))
    expect(made.dataSync()).toEqual(Float32Array.of(1, 2))
    made.assign(Float32Array.of(3, 4))
    expect(made.dataSync()).toEqual(Float32Array.of(3, 4))
    made.assign(made)
    expect(made.dataSync()).toEqual(Float32Array.of(3, 4))
  })

  it('leaves a result alone that was computed before the values changed', () => {
    const x = tensor([1, -2])
    const y = relu(x)
    x.assign(Float32Array.of(5, 6))
    expect(y.dataSync()).toEqual(Float32Array.of(1, 0))
  })

  it.each<[string, (x: Tensor<readonly [2, 3], 'f32'>) => unknown, string]>([
    ['shape', x => x.assign(zeros([3, 2]) as never), 'copy: expected x [2, 3] but received x [3, 2]'],
    [
      'dtype',
      x => x.assign(zeros([2, 3], { dtype: 'i32' }) as never),
      'copy: expected x of dtype f32 but received i32',
    ],
    [
      'device',
      x => x.assign(zeros([2, 3], { device: 'reference' })),
      'copy: expected tensors of one device but received x on reference and y on cpu',
    ],
    ['length', x => x.assign(new Float32Array(5)), 'assign: expected 6 values for shape [2, 3] but received 5'],
    [
      'kind of array',
      x => x.assign(new Float64Array(6) as never),
      'assign: expected a typed array of dtype f32 for data but received a Float64Array',
    ],
    [
      'plain array',
      x => x.assign([1, 2] as never),
      'assign: expected a tensor or a typed array of f32 but received an array',
    ],
    [
      'nothing',
      x => x.assign(undefined as never),
      'assign: expected a tensor or a typed array of f32 but received undefined',
    ],
    ['reshape', x => x.reshape([7]), 'reshape: expected a shape of 6 elements for x [2, 3] but received [7]'],
    ['reshape below 0', x => x.reshape([-1, 6]), 'reshape: expected whole sizes of 0 or more in shape but received -1'],
    ['cast', x => x.cast('f8' as DType), 'cast: expected f32, f64, i32, u8, bf16 or f16 for dtype but received f8'],
  ])('refuses another %s', (_, act, message) => {
    const x = full([2, 3], 5)
    expect(() => act(x)).toThrow(message)
    expect(x.dataSync()).toEqual(new Float32Array(6).fill(5))
  })
})

describe('disposing', () => {
  it('frees the memory at once, and may happen twice', () => {
    const before = bytesInUse()
    const made = zeros([1000])
    expect(bytesInUse()).toBeGreaterThanOrEqual(before + 4000)
    made.dispose()
    made.dispose()
    made[Symbol.dispose]()
    expect(made.disposed).toBe(true)
    expect(bytesInUse()).toBe(before)
  })

  it('happens at the end of a block with using', () => {
    let outside: Tensor
    {
      using inside = zeros([3])
      outside = inside
      expect(outside.disposed).toBe(false)
    }
    expect(outside.disposed).toBe(true)
  })

  it('keeps shape, dtype and device', () => {
    const made = zeros([2, 3])
    made.dispose()
    expect([made.shape, made.dtype, made.device, made.size]).toEqual([[2, 3], 'f32', 'cpu', 6])
  })

  it.each<[string, (x: Tensor<readonly [2, 3], 'f32'>) => unknown]>([
    ['dataSync', x => x.dataSync()],
    ['clone', x => x.clone()],
    ['cast', x => x.cast('i32')],
    ['detach', x => x.detach()],
    ['reshape', x => x.reshape([6])],
    ['assign', x => x.assign(new Float32Array(6))],
    ['assign as source', x => zeros([2, 3]).assign(x)],
    ['an op', x => relu(x)],
  ])('is an error to use later: %s', (_, use) => {
    const made = zeros([2, 3])
    made.dispose()
    expect(() => use(made)).toThrow(
      expect.objectContaining({ name: 'DisposedError', code: 'ERR_IGC_DISPOSED', message: disposedText }),
    )
  })

  it('is an error to read later', async () => {
    const made = zeros([2, 3])
    made.dispose()
    await expect(made.data()).rejects.toThrow(disposedText)
    const one = zeros([])
    one.dispose()
    await expect(one.item()).rejects.toThrow('tensor: expected a live tensor but received one [] that was')
  })

  it('frees the gradient too', () => {
    const before = bytesInUse()
    const x = tensor([1, 2], [2], { requiresGrad: true })
    const [y, dy] = [relu(x), ones([2])]
    y.backward(dy)
    const gradient = x.grad
    x.dispose()
    expect([x.grad, gradient?.disposed]).toEqual([undefined, true])
    y.dispose()
    dy.dispose()
    expect(bytesInUse()).toBe(before)
  })
})

it('has the array of every dtype in its type', () => {
  const values: ArrayOf<'u8'> = zeros([1], { dtype: 'u8' }).dataSync()
  expect(values).toBeInstanceOf(Uint8Array)
})

it('is told from other objects', () => {
  expect(zeros([1])).toBeInstanceOf(Tensor)
  expect(() => relu({ shape: [1] } as unknown as Tensor<readonly [1], 'f32'>)).toThrow(
    'relu: expected a tensor for x but received an object',
  )
})
