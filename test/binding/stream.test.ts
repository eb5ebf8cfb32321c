/** The stream of a device: order, errors that come later, back-pressure, and what keeps the process alive. */
import { describe, expect, it } from 'vitest'
import { DataError } from '../../src/errors.ts'
import { native } from '../../src/native.ts'
import { resultOf, runScript, steadyHeap } from './run-child.ts'

const devices = ['cpu', 'reference']

describe.each(devices)('the stream of %s', device => {
  const create = (values: number[]) =>
    native.tensorCreate({ device, dtype: 'f32', shape: [values.length] }, new Float32Array(values))
  const outOfRange = () => {
    const logits = native.tensorCreate({ device, dtype: 'f32', shape: [2, 3] }, new Float32Array(6))
    const labels = native.tensorCreate({ device, dtype: 'i32', shape: [2] }, new Int32Array([1, 3]))
    return native.crossEntropyForward(logits, labels, { labelSmoothing: 0 }).loss
  }
  const text = 'crossEntropy: expected labels from 0 to 2 but received 3 at index 1'

  it('runs ops in order', async () => {
    const x = create([1, 2])
    const sums = []
    for (let i = 0; i < 100; i++) {
      sums.push(native.tensorRead(native.addForward(x, x)))
      native.fill(x, { value: i })
    }
    const values = (await Promise.all(sums)).map(sum => sum[0])
    expect(values).toEqual([2, ...Array.from({ length: 99 }, (_, i) => 2 * i)])
  })

  it('rejects the next data() with the error of an op, and goes on', async () => {
    const x = create([1])
    outOfRange()
    const read = native.tensorRead(x)
    const later = native.tensorRead(x)
    await expect(read).rejects.toThrow(new DataError(text))
    expect([...(await later)]).toEqual([1])
    expect([...native.tensorReadSync(native.addForward(x, x))]).toEqual([2])
  })

  it('reports the first of several errors, by dataSync() too', () => {
    const loss = outOfRange()
    outOfRange()
    expect(() => native.tensorReadSync(loss)).toThrow(new DataError(text))
    expect(native.tensorReadSync(create([4]))[0]).toBe(4)
  })

  it('keeps the process alive while a promise is pending', async () => {
    const child = await runScript(`
      const x = igcnet.full([400, 400], 1, { device: '${device}' })
      const y = native.linearForward(x.handle, x.handle)
      native.tensorRead(y).then(data => console.log('read', data[0]))`)
    expect(child).toMatchObject({ status: 0, stdout: 'read 400\n' })
  })

  it('lets the process end when nobody waits, with ops enqueued', async () => {
    const child = await runScript(`
      const x = igcnet.full([400, 400], 1, { device: '${device}' })
      await x.data()
      for (let i = 0; i < 500; i++) native.tensorDispose(native.linearForward(x.handle, x.handle))
      process.on('exit', () => console.log('exit'))`)
    expect(child).toMatchObject({ status: 0, stdout: 'exit\n' })
  })
})

it('100,000 ops that nobody reads stay at flat memory', async () => {
  const code = `
    const x = igcnet.full([64, 64], 1)
    const reserved = new Set()
    const run = ops => {
      for (let i = 0; i < ops; i++) {
        native.tensorDispose(native.addForward(x.handle, x.handle))
        reserved.add(native.deviceMemory('cpu').bytesReserved)
      }
      return process.memoryUsage().rss / 2 ** 20
    }
    const early = run(10_000)
    const late = run(90_000)
    console.log(JSON.stringify({ early, late, reserved: [...reserved] }))`
  type Result = { early: number; late: number; reserved: number[] }
  const { early, late, reserved } = await resultOf<Result>(code, { nodeArgs: steadyHeap })
  expect(reserved).toHaveLength(1)
  expect(late - early).toBeLessThan(4)
})

it('ten thousand pending reads all settle', async () => {
  const x = native.tensorCreate({ device: 'cpu', dtype: 'i32', shape: [1] }, new Int32Array([3]))
  const reads = Array.from({ length: 10_000 }, () => native.tensorRead(x))
  const values = new Set((await Promise.all(reads)).map(data => data[0]))
  expect([...values]).toEqual([3])
})
