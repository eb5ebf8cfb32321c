/** The end of the process while the streams are at work: no crash, no hang, and 'exit' listeners still have the devices. */
import { describe, expect, it } from 'vitest'
import { runScript } from './run-child.ts'

/** Enqueues work on both devices, with promises that nobody awaits; oneDNN makes many primitives. */
const busy = `
  for (const device of ['cpu', 'reference']) {
    const make = shape => native.randomUniform({ device, dtype: 'f32', shape, seed: 1, offset: 0, a: 0, b: 1 })
    for (let i = 0; i < 200; i++) {
      native.linearForward(make([3, 1 + i]), make([5, 1 + i]))
      native.tensorRead(native.conv2dForward(make([1, 4, 4, 1 + i]), make([1 + i, 3, 3, 1 + i]), {
        stride: 1, padding: 1, groups: 1,
      }))
    }
  }
`

describe('with work enqueued', () => {
  it.each([
    ['process.exit()', 'process.exit(0)', 0],
    ['process.exit() later', 'setTimeout(() => process.exit(5), 30)', 5],
    ['process.exit() in a promise', 'Promise.resolve().then(() => process.exit(6))', 6],
    ['an uncaught error', 'setImmediate(() => { throw new Error("mine") })', 1],
    ['an unhandled rejection', 'Promise.reject(new Error("mine"))', 1],
    ['process.exit() in an exit listener', 'process.on("exit", () => process.exit(7)); process.exit(0)', 7],
  ])('%s ends the process', async (_, end, code) => {
    const started = performance.now()
    const { status, signal, stderr } = await runScript(busy + end, { timeout: 20_000 })
    expect({ status, signal }).toEqual({ status: code, signal: null })
    expect(stderr).not.toMatch(/terminate|Assertion|double free|corrupt/)
    expect(performance.now() - started).toBeLessThan(15_000)
  })

  // Without native/binding/process_exit.h one in 16 of these crashed.
  it('process.exit() at any moment does not crash', async () => {
    const exit = (ms: number) => runScript(`${busy} setTimeout(() => process.exit(0), ${ms})`, { timeout: 30_000 })
    for (let ms = 0; ms < 48; ms += 12) {
      const results = await Promise.all([exit(ms), exit(ms + 6)])
      for (const { status, signal } of results) expect({ status, signal }).toEqual({ status: 0, signal: null })
    }
  })

  it('process.exit() in a listener older than the addon ends the process', async () => {
    const nodeArgs = ['--import', 'data:text/javascript,process.on("exit", () => process.exit(7))']
    const { status, signal } = await runScript(`${busy} process.exit(0)`, { nodeArgs })
    expect({ status, signal }).toEqual({ status: 7, signal: null })
  })

  it('a listener of exit can still read tensors', async () => {
    const result = await runScript(`
      const x = igcnet.full([2], 21)
      process.on('exit', () => console.log(native.tensorReadSync(native.addForward(x.handle, x.handle)).join()))
      process.exit(0)`)
    expect(result).toMatchObject({ status: 0, stdout: '42,42\n' })
  })
})

it('an idle addon does not keep the process alive', async () => {
  const result = await runScript(`
    await igcnet.full([2], 1).data()
    igcnet.full([2], 1, { device: 'reference' }).dataSync()
    console.log(process.getActiveResourcesInfo().filter(name => !/Pipe|TTY|File/.test(name)).join())`)
  expect(result).toMatchObject({ status: 0, stdout: '\n' })
})
