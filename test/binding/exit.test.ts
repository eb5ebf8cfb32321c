/** The end of the process while the streams are at work: no crash, no hang, and 'exit' listeners still have the devices. */
import { describe, expect, it } from 'vitest'
import { runScript } from './run-child.ts'

/** Enqueues a second or so of work on both devices, with promises that nobody awaits. */
const busy = `
  for (const device of ['cpu', 'reference']) {
    const make = shape => native.randomUniform({ device, dtype: 'f32', shape, seed: 1, offset: 0, a: 0, b: 1 })
    const [x, w] = [make([4, 32, 32, 16]), make([16, 3, 3, 16])]
    for (let i = 0; i < 100; i++) {
      native.tensorRead(native.conv2dForward(x, w, { stride: 1, padding: 1, groups: 1 }))
      native.tensorRead(native.linearForward(make([64, 100 + i]), make([64, 100 + i])))
    }
  }
`

describe('with work enqueued', () => {
  it.each([
    ['process.exit()', 'process.exit(0)', 0],
    ['process.exit() later', 'setTimeout(() => process.exit(5), 30)', 5],
    ['process.exit() in a promise', 'await igcnet.full([1], 1).data(); process.exit(6)', 6],
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
