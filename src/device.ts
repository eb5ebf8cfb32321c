/** What concerns a device as a whole: waiting, memory, threads. Checked in test/binding/device.test.ts. */
import { availableParallelism } from 'node:os'
import { cudaProbe, type DeviceInfo, type MemoryStats, native } from './native.ts'
import type { DeviceName } from './tensor.ts'
import { inWords } from './values.ts'

export type { DeviceInfo, MemoryStats } from './native.ts'
export { Recording, record } from './recording.ts'

/** Blocks until everything enqueued on the device has run. @throws DeviceError for a device that cannot be had */
export function synchronize(device: DeviceName = 'cpu'): void {
  native.deviceSynchronize(device)
}

/** Bytes held by live tensors, bytes held from the system (with the cache), and their peak. @throws DeviceError */
export function memory(device: DeviceName = 'cpu'): MemoryStats {
  return native.deviceMemory(device)
}

/**
 * Instruction set, threads and libraries that a device computes with. Waits for what was enqueued before.
 * @throws DeviceError for a device that cannot be had
 */
export function info(device: DeviceName = 'cpu'): DeviceInfo {
  return native.deviceInfo(device)
}

/** Gives cached memory back to the system. @throws DeviceError for a device that cannot be had */
export function trim(device: DeviceName = 'cpu'): void {
  native.deviceTrim(device)
}

/** What `setThreads` said last: to say it anew would ask the system for the threads, and drop what the device has prepared. */
const threadsOf = new Map<DeviceName, number>()

/**
 * Threads of the ops enqueued from now on, 1 to 1024. Default: the environment variable IGCNET_THREADS, or all cores.
 * For one number of threads results are the same bits on every run. `reference` always computes with one. Not within `record`:
 * threads are no work to repeat.
 * @throws RangeError; DeviceError for a device that cannot be had
 */
export function setThreads(threads: number, device: DeviceName = 'cpu'): void {
  const name = device === 'cuda:0' ? 'cuda' : device
  if (threadsOf.get(name) === threads) return
  native.deviceSetThreads(name, { threads })
  threadsOf.set(name, threads)
}

/**
 * Whether the device cuda (or cuda:`ordinal`) can be had: what it is, or why not. The first call starts a process that
 * looks at the GPU; the answer is remembered.
 * @throws RangeError for what is no number of a GPU
 */
export function cuda(ordinal = 0): { works: boolean; text: string } {
  if (!(Number.isInteger(ordinal) && ordinal >= 0 && ordinal <= 999)) {
    throw new RangeError(`cuda: expected the number of a GPU from 0 to 999 but received ${inWords(ordinal)}`)
  }
  const { works, text } = cudaProbe(ordinal)
  return { works, text }
}

/** The number of threads that a device uses unless told otherwise. @throws RangeError for a bad IGCNET_THREADS */
export function defaultThreads(): number {
  const asked = process.env.IGCNET_THREADS
  if (asked === undefined || asked === '') return availableParallelism()
  const threads = /^\d+$/.test(asked) ? Number(asked) : 0
  if (threads < 1 || threads > 1024) {
    throw new RangeError(`IGCNET_THREADS: expected 1 to 1024 threads but received ${asked}`)
  }
  return threads
}
