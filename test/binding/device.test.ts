/** What concerns a device as a whole: its name, waiting, threads. Memory: memory.test.ts. */
import { execFileSync, spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { DeviceError } from '../../src/errors.ts'
import { device, full } from '../../src/index.ts'
import { native } from '../../src/native.ts'
import { addonPath } from './run-child.ts'

describe('a device', () => {
  it('is cpu, reference, or one that is looked for', () => {
    for (const call of [native.deviceMemory, native.deviceSynchronize, native.deviceTrim]) {
      expect(() => call('gpu')).toThrow(
        new DeviceError('device: expected cpu, reference, cuda, cuda:N or auto but received gpu'),
      )
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

  it.runIf(process.platform === 'linux')('refuses more threads than the system gives, and lives on', () => {
    // The addon alone, with address space for some hundred stacks more.
    const script = `
      const { execFileSync } = require('node:child_process')
      const native = require(${JSON.stringify(addonPath)})
      const status = require('node:fs').readFileSync('/proc/self/status', 'utf8')
      const size = Number(/VmSize:\\s*(\\d+)/.exec(status)[1]) * 1024
      execFileSync('prlimit', ['--pid', String(process.pid), '--as=' + (size + 2 ** 31)])
      const attempt = threads => {
        try { native.deviceSetThreads('cpu', { threads }) } catch (error) { return error.name + ': ' + error.message }
      }
      const first = attempt(1024)
      const y = native.randomNormal({ device: 'cpu', dtype: 'f32', shape: [1e6], seed: 1, offset: 0, a: 0, b: 1 })
      console.log(JSON.stringify([first, attempt(2) ?? 'fine', native.tensorReadSync(y).length]))`
    const result = JSON.parse(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }))
    expect(result[0]).toMatch(
      /^RangeError: setThreads: expected at most \d+ threads, as many as the system gives, but received 1024$/,
    )
    expect(result.slice(1)).toEqual(['fine', 1e6])
  })

  // Limits that leave room for Node itself, whose threads count, and for few more.
  it.runIf(process.platform === 'linux' && process.getuid?.() === 0)(
    'lives on where the system gives few threads',
    () => {
      const script = `
      const native = require(${JSON.stringify(addonPath)})
      const p = { device: 'cpu', dtype: 'f32', shape: [1 << 22], seed: 1, offset: 0, a: 0, b: 1 }
      try {
        console.log(native.tensorReadSync(native.reluForward(native.randomNormal(p))).length)
      } catch (error) {
        console.log(error.name + ': ' + error.message)
      }`
      const run = (env: Record<string, string>, limit: number) => {
        const options = ['--reuid=65534', '--regid=65534', '--clear-groups', 'prlimit', `--nproc=${limit}`]
        const child = spawnSync('setpriv', [...options, process.execPath, '--v8-pool-size=1', '-e', script], {
          encoding: 'utf8',
          env: { PATH: process.env.PATH, ...env },
        })
        return child.stdout.trim() || `${child.stderr} ${child.status}`
      }
      const limits = [9, 10, 11, 12, 13]
      for (const limit of limits) {
        // OMP_NUM_THREADS stands for a machine with as many cores.
        expect(run({ OMP_NUM_THREADS: '64' }, limit)).toBe(String(1 << 22))
        expect(run({ IGCNET_THREADS: '64' }, limit)).toMatch(
          /^RangeError: IGCNET_THREADS: expected at most \d+ threads, as/,
        )
      }
    },
  )

  it('says what it computes with', () => {
    expect(device.info('reference')).toEqual({ simd: 'none', f32Lanes: 1, threads: 1, onednn: null, hardware: null })
    device.setThreads(3)
    const { simd, f32Lanes, threads, onednn } = device.info()
    device.setThreads(device.defaultThreads())
    expect(threads).toBe(3)
    expect(onednn).toMatch(/^\d+\.\d+\.\d+$/)
    expect({ avx512: 16, avx2: 8, neon: 4 }[simd as 'avx2'] ?? f32Lanes).toBe(f32Lanes)
  })

  it.runIf(process.arch === 'x64')('uses the instruction set that IGCNET_SIMD allows', () => {
    const script = `console.log(JSON.stringify(require(${JSON.stringify(addonPath)}).deviceInfo('cpu')))`
    for (const wanted of ['baseline', 'avx2']) {
      const env = { ...process.env, IGCNET_SIMD: wanted }
      const { simd, f32Lanes } = JSON.parse(execFileSync(process.execPath, ['-e', script], { env, encoding: 'utf8' }))
      expect(['baseline', wanted]).toContain(simd)
      expect(f32Lanes).toBeLessThanOrEqual(simd === 'avx2' ? 8 : 4)
    }
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
