/** What concerns a device as a whole: its name, waiting, threads. Memory: memory.test.ts. */
import { describe, expect, it } from 'vitest'
import { DeviceError } from '../../src/errors.ts'
import { device, full } from '../../src/index.ts'
import { native } from '../../src/native.ts'

describe('a device', () => {
  it('is cpu or reference', () => {
    for (const call of [native.deviceMemory, native.deviceSynchronize, native.deviceTrim]) {
      expect(() => call('gpu')).toThrow(new DeviceError('device: expected cpu or reference but received gpu'))
      expect(() => call(7 as never)).toThrow(TypeError)
    }
  })

  it('has run everything after synchronize()', () => {
    const x = full([256, 256], 1)
    const y = native.linearForward(x.handle, x.handle)
    device.synchronize()
    expect(native.tensorReadSync(y)[0]).toBe(256)
  })

  it('takes 1 to 1024 threads, and computes the same with any', () => {
    for (const threads of [0, -1, 1025, 1.5, Number.NaN, 2 ** 53]) {
      expect(() => device.setThreads(threads)).toThrow(RangeError)
    }
    expect(() => device.setThreads('2' as never)).toThrow(
      new TypeError('setThreads: expected a number for threads but received a string'),
    )
    const p = { device: 'cpu', dtype: 'f32', shape: [300, 300], seed: 1, offset: 0, a: 0, b: 1 }
    const results = [1, 2, 5].map(threads => {
      device.setThreads(threads)
      return native.tensorReadSync(native.reluForward(native.randomNormal(p)))
    })
    device.setThreads(device.defaultThreads())
    expect(results[1]).toEqual(results[0])
    expect(results[2]).toEqual(results[0])
  })

  it('counts blocks and bytes', () => {
    const before = device.memory('reference')
    const x = native.tensorCreate({ device: 'reference', dtype: 'f64', shape: [1000] })
    const held = device.memory('reference')
    expect(held.allocations).toBe(before.allocations + 1)
    expect(held.bytesInUse - before.bytesInUse).toBeGreaterThanOrEqual(8000)
    expect(held.bytesReserved).toBeGreaterThanOrEqual(held.bytesInUse)
    native.tensorDispose(x)
    expect(device.memory('reference').bytesInUse).toBe(before.bytesInUse)
  })
})
