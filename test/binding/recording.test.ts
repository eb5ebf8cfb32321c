/** Work that is recorded and repeated: the same results, memory that nobody else gets, what cannot be repeated. */
import { afterEach, describe, expect, it } from 'vitest'
import {
  add,
  DisposedError,
  device,
  dropout,
  Generator,
  type Images,
  nn,
  relu,
  scope,
  type Tensor,
  tensor,
  theory,
  UnsupportedError,
  zeros,
} from '../../src/index.ts'

const name = (process.env.IGCNET_TEST_DEVICE ?? 'cpu') as 'cpu' | 'cuda'
const { memory, record, synchronize } = device
const values = (...numbers: number[]) => tensor(numbers, [numbers.length], { device: name })
const used = () => memory(name).bytesInUse

const before = used()
afterEach(() => expect(used()).toBe(before))

describe('record', () => {
  it('runs the work once, and again with new inputs', () => {
    using _all = scope()
    const x = values(1, -2, 3)
    const total = zeros([3], { device: name })
    const { result: y, recording } = record(() => {
      const y = relu(add(x, x))
      total.assign(add(total, y))
      return y
    }, name)
    expect([...y.dataSync()]).toEqual([2, 0, 6])
    x.assign(Float32Array.of(-1, 5, 2))
    recording?.replay()
    expect([...y.dataSync()]).toEqual([0, 10, 4])
    recording?.replay()
    expect([...total.dataSync()]).toEqual([2, 20, 14])
    recording?.dispose()
    expect([...y.dataSync()]).toEqual([0, 10, 4])
  })

  const sizes = { inChannels: 3, outChannels: 4, device: name }
  it.each<[string, () => nn.Module]>([
    ['ConvBlock', () => new nn.ConvBlock({ ...sizes, kernel: 3 })],
    ['IgcBlock', () => new nn.IgcBlock({ ...sizes, primaryPartitions: 1 })],
    [
      'FusedConvolution',
      () => {
        using block: nn.Module = new nn.ConvBlock({ ...sizes, kernel: 3 })
        return theory.fuseForInference(block)
      },
    ],
  ])('writes the result of %s anew, which leaves its norm to whoever reads it', (_, make) => {
    using _all = scope()
    using block = make()
    const generator = new Generator(1)
    const [x, other] = [0, 1].map(() => generator.normal([2, 5, 5, 3], { device: name })) as [Images, Images]
    const expected = [...block.forward(other).dataSync()]
    const first = block.forward(x)
    const { result, recording } = record(() => [block.forward(x), block.forward(x).detach()] as const, name)
    for (const y of result) expect(y.dataSync()).toEqual(first.dataSync())
    x.assign(other)
    recording?.replay()
    for (const y of result) expect([...y.dataSync()]).toEqual(expected)
    recording?.dispose()
  })

  it('keeps what it reads and writes from others, also what was disposed of', () => {
    using _all = scope()
    const x = values(1, 2, 3)
    const y = values(0, 0, 0)
    const { recording } = record(() => {
      using _inner = scope()
      y.assign(add(add(x, x), x))
    }, name)
    x.dispose()
    // Would take the memory of x and of the sums, if it were free.
    const others = Array.from({ length: 8 }, (_, i) => values(i, i, i))
    recording?.replay()
    expect([...y.dataSync()]).toEqual([3, 6, 9])
    for (const [i, other] of others.entries()) expect([...other.dataSync()]).toEqual([i, i, i])
    recording?.dispose()
  })

  it('uses memory again inside of the recording', () => {
    using _all = scope()
    const x = zeros([1 << 18], { device: name })
    const reserved = memory(name).bytesReserved
    const { result, recording } = record(() => {
      let sum = x
      for (let i = 0; i < 50; i++) {
        using inner = scope()
        sum = inner.keep(add(sum, x))
      }
      return sum
    }, name)
    expect(memory(name).bytesReserved - reserved).toBeLessThanOrEqual(51 * (1 << 20))
    recording?.dispose()
    result.dispose()
  })

  it.each<[string, (x: Tensor) => void]>([
    ['values were read', x => void x.dataSync()],
    ['values came from JavaScript', () => values(1).dispose()],
    ['the device was waited for', () => synchronize(name)],
    ['dropout would drop', x => dropout(x as Tensor<[3], 'f32'>, { rate: 0.5 }).dispose()],
    ['the number of threads was set', () => device.setThreads(2, name)],
    ['random numbers would be', () => new Generator(1).normal([2], { device: name }).dispose()],
  ])('is refused, and everything takes place once, where %s', (why, what) => {
    using _all = scope()
    const x = values(1, 2, 3)
    const y = values(0, 0, 0)
    const { recording, refused } = record(() => {
      y.assign(add(y, x))
      what(x)
      y.assign(add(y, x))
    }, name)
    expect(recording).toBeUndefined()
    expect(refused).toContain(why)
    expect([...y.dataSync()]).toEqual([2, 4, 6])
  })

  it('gives back the error of its body behind what was enqueued, and records again', () => {
    using _all = scope()
    const y = values(0)
    const one = values(1)
    const fail = () =>
      record(() => {
        y.assign(add(y, one))
        throw new RangeError('no')
      }, name)
    expect(fail).toThrow(new RangeError('no'))
    expect([...y.dataSync()]).toEqual([1])
    const { recording } = record(() => y.assign(add(y, one)), name)
    expect(recording).toBeDefined()
    expect([...y.dataSync()]).toEqual([2])
    recording?.dispose()
  })

  it('takes no asynchronous body', () => {
    expect(() => record(async () => {}, name)).toThrow(
      new TypeError('record: expected a synchronous body but received one that gives a promise'),
    )
    expect(record(() => 3, name).result).toBe(3)
  })

  it('has no other recording in it, and ends with dispose', () => {
    using _all = scope()
    const y = values(0)
    const { recording } = record(() => y.assign(y.clone()), name)
    const text = `record: device ${name} is recording already`
    expect(() => record(() => record(() => {}, name), name)).toThrow(new UnsupportedError(text))
    expect(() => record(() => recording?.replay(), name)).toThrow(
      new UnsupportedError(`replay: device ${name} is recording: a recording has no other in it`),
    )
    recording?.dispose()
    recording?.dispose()
    expect(() => recording?.replay()).toThrow(
      new DisposedError('replay: expected a live recording but received a disposed one'),
    )
  })

  it('repeats at flat memory', () => {
    using _all = scope()
    const x = zeros([1000], { device: name })
    const { recording } = record(() => {
      using _inner = scope()
      x.assign(add(x, x))
    }, name)
    const { bytesReserved } = memory(name)
    for (let i = 0; i < 2000; i++) recording?.replay()
    synchronize(name)
    expect(memory(name).bytesReserved).toBe(bytesReserved)
    recording?.dispose()
  })
})
