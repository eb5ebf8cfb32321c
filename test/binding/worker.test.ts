/**
 * The addon in worker threads: each has its own devices, and may end or be terminated at any moment. Each test runs in a
 * process of its own, so that a crash is its failure.
 */
import { expect, it } from 'vitest'
import { addonPath, type ChildResult, runNode } from './run-child.ts'

/** In a worker: `native`, and `work(device)`, which enqueues ops of some milliseconds and returns the last result. */
const inWorker = `
  const { parentPort, workerData } = require('node:worker_threads')
  const native = require(${JSON.stringify(addonPath)})
  const uniform = (device, shape) => native.randomUniform({ device, dtype: 'f32', shape, seed: 1, offset: 0, a: 0, b: 1 })
  function work(device, ops = 30) {
    const [x, w] = [uniform(device, [4, 16, 16, 16]), uniform(device, [16, 3, 3, 16])]
    let y
    for (let i = 0; i < ops; i++) y = native.conv2dForward(x, w, { stride: 1, padding: 1, groups: 1 })
    return y
  }
`
/** In the main thread, where the addon is not loaded: `start(code)` gives a worker and the promise of its exit code. */
const inMain = `
  const { Worker } = require('node:worker_threads')
  function start(code, options = {}) {
    const worker = new Worker(${JSON.stringify(inWorker)} + code, { eval: true, ...options })
    worker.exited = new Promise((resolve, reject) => worker.once('error', reject).once('exit', resolve))
    worker.busy = new Promise(resolve => worker.once('message', resolve))
    return worker
  }
  const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
`
const run = (code: string): Promise<ChildResult> =>
  runNode(['-e', `${inMain};(async () => {${code}})()`], { env: { OMP_WAIT_POLICY: 'passive' } })
const passed = { status: 0, signal: null, stdout: 'passed\n', stderr: '' }

it('works in a worker alone, which Node then unloads, again and again', async () => {
  const result = await run(`
    for (let i = 0; i < 10; i++) {
      const worker = start("native.tensorRead(work('cpu')).then(data => parentPort.postMessage(data.length))")
      if (await worker.busy !== 16384 || await worker.exited !== 0) throw new Error('no result')
    }
    console.log('passed')`)
  expect(result).toEqual(passed)
})

it('a worker may end with ops enqueued and promises pending', async () => {
  const result = await run(`
    const codes = []
    for (const device of ['cpu', 'reference']) {
      for (const end of ['', 'process.exit(0)', 'setImmediate(() => process.exit(0))']) {
        const code = "const y = work(workerData); for (let i = 0; i < 100; i++) native.tensorRead(y);" + end
        codes.push(await start(code, { workerData: device }).exited)
      }
    }
    console.log(codes.every(code => code === 0) ? 'passed' : codes)`)
  expect(result).toEqual(passed)
})

it('an uncaught error in a worker stays in it', async () => {
  const result = await run(`
    const messages = []
    for (const code of ["work('cpu'); native.reluForward(1)", "work('cpu'); setTimeout(() => native.cast({}), 1)"]) {
      await start(code).exited.catch(error => messages.push(error.message))
    }
    console.log(messages.join('; '))`)
  expect(result).toMatchObject({
    status: 0,
    stdout: 'relu: expected a tensor for x but received 1; cast: expected an options object but received undefined\n',
  })
})

it('workers may be terminated at any moment, several at once', async () => {
  const result = await run(`
    const busy = \`
      parentPort.postMessage('busy')
      async function forever() {
        for (;;) {
          const y = work(workerData, 3)
          native.tensorDispose(y)
          try { native.tensorDispose(y, native.cast(y, { get dtype() { return 'f32' } })) } catch {}
          await native.tensorRead(work(workerData, 1))
        }
      }
      for (let i = 0; i < 4; i++) forever()\`
    const blocked = "parentPort.postMessage('busy'); for (;;) native.tensorReadSync(work(workerData, 2))"
    for (let round = 0; round < 12; round++) {
      const workers = [0, 1, 2].map(i => start(i < 2 ? busy : blocked, { workerData: i === 1 ? 'reference' : 'cpu' }))
      await Promise.all(workers.map(worker => worker.busy))
      await sleep(round * 7)
      await Promise.all(workers.map(worker => worker.terminate()))
    }
    console.log('passed')`)
  expect(result).toEqual(passed)
})

it('several workers compute the same at once', async () => {
  const result = await run(`
    const code = "native.tensorRead(work('cpu')).then(data => parentPort.postMessage(data))"
    const workers = [1, 2, 3, 4].map(() => start(code))
    const results = (await Promise.all(workers.map(worker => worker.busy))).map(data => data.join())
    const codes = await Promise.all(workers.map(worker => worker.exited))
    console.log(new Set(results).size === 1 && codes.join() === '0,0,0,0' ? 'passed' : 'different')`)
  expect(result).toEqual(passed)
})

it('the process may exit while workers are busy', async () => {
  for (const end of [
    'process.exit(3)',
    'setTimeout(() => process.exit(3), 20)',
    'process.exitCode = 3; worker.unref()',
  ]) {
    const result = await run(`
      const worker = start("parentPort.postMessage(0); (async () => { for (;;) await native.tensorRead(work('cpu', 2)) })()")
      await worker.busy
      ${end}`)
    expect(result).toMatchObject({ status: 3, signal: null, stderr: '' })
  }
})

it('a worker has the threads of its own environment', async () => {
  const result = await run(`
    const code = "parentPort.postMessage(native.deviceInfo('cpu').threads)"
    const threads = []
    for (const asked of ['1', '2']) {
      const worker = start(code, { env: { ...process.env, IGCNET_THREADS: asked } })
      threads.push(await worker.busy)
      await worker.exited
    }
    console.log(threads.join() === '1,2' ? 'passed' : threads)`)
  expect(result).toEqual(passed)
})

it('a typed array of a class that was replaced is refused', async () => {
  const result = await runNode([
    '-e',
    `const { Float32Array: Real } = globalThis
    let most = Infinity
    globalThis.Float32Array = class Float32Array extends Real {
      constructor(length) { super(Math.min(length, most)) }
    }
    const native = require(${JSON.stringify(addonPath)})
    const y = native.tensorCreate({ device: 'cpu', dtype: 'f32', shape: [1 << 22] })
    native.fill(y, { value: 3 })
    most = 1
    try { native.tensorReadSync(y) } catch ({ message }) { console.log(message) }`,
  ])
  expect(result).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^data: expected a typed array of 4194304 values of dtype f32 but received/),
  })
})
