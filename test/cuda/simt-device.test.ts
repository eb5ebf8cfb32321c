/** The device `cuda` as a whole, with its kernels on the host: its names, repeated bits, labels out of range. */
import './on-host.ts'
import { expect, it } from 'vitest'
import type { Tensor } from '../../src/index.ts'

const { crossEntropy, DataError, device, DeviceError, Generator, igcBlock, tensor } = await import('../../src/index.ts')

it('cuda, cuda:0 and auto are one device; names that are none are refused', () => {
  const [a, b, c] = (['cuda', 'cuda:0', 'auto'] as const).map(name => tensor([1, 2], [2], { device: name }))
  for (const x of [a, b, c]) expect(x?.device).toBe('cuda')
  expect(device.info('cuda').hardware).toBe('kernels on the host, in place of a GPU, for tests')
  for (const name of ['cudas', 'cuda:', 'cuda:x', 'cuda:1234', 'cuda:-1']) {
    expect(() => tensor([1], [1], { device: name as 'cuda' })).toThrow(
      new DeviceError(`device: expected cpu, reference, cuda, cuda:N or auto but received ${name}`),
    )
  }
  expect(() => tensor([1], [1], { device: 'cuda:1' })).toThrow(
    new DeviceError('device cuda:1 is not available: there is 1 GPU, so cuda:1 does not exist'),
  )
})

it('a label out of range is a DataError at the next read, and then forgotten', () => {
  const logits = tensor([1, 2, 3, 4, 5, 6], [2, 3], { device: 'cuda' })
  const labels = (...values: number[]) => tensor(Int32Array.from(values), [2], { device: 'cuda' })
  for (const label of [3, -1]) {
    expect(() => crossEntropy(logits, labels(0, label)).dataSync()).toThrow(
      new DataError(`crossEntropy: expected labels from 0 to 2 but received ${label} at index 1`),
    )
  }
  expect(Number.isFinite(crossEntropy(logits, labels(0, 2)).dataSync()[0])).toBe(true)
})

it('repeats its bits, in all gradients', () => {
  const run = () => {
    const random = (shape: readonly number[], seed: number) =>
      new Generator(seed).normal(shape as readonly [number, number, number, number], { device: 'cuda' })
    const x = random([3, 13, 11, 24], 1)
    const [primary, secondary] = [random([24, 3, 3, 4], 2), random([24, 1, 1, 6], 3)]
    const learning = [x, primary, secondary]
    for (const t of learning) t.requiresGrad = true
    const options = { primaryPartitions: 6, secondaryPartitions: 4, padding: 1 }
    const y = igcBlock(x, primary, secondary as Tensor<readonly [number, 1, 1, number], 'f32'>, options)
    y.backward(random([3, 13, 11, 24], 4))
    return [y.dataSync(), ...learning.map(t => t.grad?.dataSync())]
  }
  expect(run()).toEqual(run())
})
