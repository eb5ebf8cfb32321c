/** A block equals the dense convolution with its composite kernel; its special cases are what the papers say. */
import { describe, expect, it, test } from 'vitest'
import { conv2d, Generator, nn, relu, type Tensor, tensor, theory } from '../../src/index.ts'
import { Igcv2Block } from '../../src/models/igcv2.ts'
import { relativeError } from '../../src/train/benchmark.ts'

const { compositeKernel } = theory
const place = { dtype: 'f64', device: 'reference' } as const
const random = <const S extends readonly number[]>(shape: S, seed = 1) => new Generator(seed).normal(shape, place)

/** In f64: a few roundings. */
function expectEqual(received: Tensor, expected: Tensor): void {
  expect(received.shape).toEqual(expected.shape)
  expect(Math.max(...expected.dataSync().map(Math.abs))).toBeGreaterThan(0.1)
  expect(relativeError(received.dataSync(), expected.dataSync())).toBeLessThan(1e-13)
}

describe('an interleaved group convolution', () => {
  it.each([
    { inChannels: 12, outChannels: 12, primaryPartitions: 3 },
    { inChannels: 12, outChannels: 12, primaryPartitions: 4 },
    { inChannels: 6, outChannels: 12, primaryPartitions: 3, stride: 2 },
    { inChannels: 8, outChannels: 16, primaryPartitions: 4, secondaryPartitions: 2, stride: 2 }, // the authors' quirk
    { inChannels: 6, outChannels: 6, primaryPartitions: 2, kernel: 5 },
    { inChannels: 6, outChannels: 6, primaryPartitions: 1 },
    { inChannels: 6, outChannels: 6, primaryPartitions: 6 },
  ])('%o', options => {
    const layer = new nn.InterleavedGroupConv2d({ ...options, ...place, generator: new Generator(3) })
    const kernel = compositeKernel(layer)
    const { kernel: side = 3, inChannels, outChannels } = { kernel: 3, ...options }
    expect(kernel.shape).toEqual([outChannels, side, side, inChannels])
    const x = random([2, 7, 6, inChannels])
    const { stride, padding } = layer.primary
    expectEqual(conv2d(x, kernel, { stride, padding }), layer.forward(x))
  })

  it('has no zeros: the product is dense', () => {
    const layer = new nn.InterleavedGroupConv2d({ inChannels: 12, outChannels: 12, primaryPartitions: 3, ...place })
    expect(
      compositeKernel(layer)
        .dataSync()
        .every(value => value !== 0),
    ).toBe(true)
  })

  it('is on the device and of the dtype of the layer', () => {
    const block = new nn.IgcBlock({ inChannels: 12, outChannels: 12, primaryPartitions: 3 })
    const kernel = compositeKernel(block)
    expect([kernel.device, kernel.dtype, kernel.requiresGrad]).toEqual(['cpu', 'f32', false])
    const x = new Generator(1).normal([2, 6, 6, 12])
    const convolution = nn.InterleavedGroupConv2d.prototype.forward.call(block, x)
    expect(relativeError(conv2d(x, kernel, { padding: 1 }).dataSync(), convolution.dataSync())).toBeLessThan(1e-5)
  })
})

test('a grouped convolution is a dense one with zeros', () => {
  const layer = new nn.Conv2d({ inChannels: 6, outChannels: 4, kernel: 3, groups: 2, padding: 1, ...place })
  const kernel = compositeKernel(layer as nn.Conv2d)
  const x = random([2, 5, 5, 6])
  expectEqual(conv2d(x, kernel, { padding: 1 }), layer.forward(x))
  expect(kernel.dataSync().filter(value => value === 0)).toHaveLength((4 * 9 * 6) / 2)
})

describe('an IGCV2 block', () => {
  it.each([
    { inChannels: 16, outChannels: 16, groupChannels: 4 },
    { inChannels: 8, outChannels: 16, groupChannels: 4, stride: 2 },
    { inChannels: 12, outChannels: 12, groupChannels: 2 },
  ])('%o', options => {
    const block = new Igcv2Block({ ...options, ...place, generator: new Generator(3) })
    const kernel = compositeKernel(block)
    const x = random([2, 7, 6, options.inChannels])
    const { stride } = block.spatial
    // In front of the batch norm: what the block gives when that is the identity.
    const { layers } = block.pointwise
    const { bn } = layers.at(-1) as nn.ConvBlock
    bn.runningVar.assign(
      tensor(new Float64Array(options.outChannels).fill(1 - bn.epsilon), [options.outChannels], place),
    )
    expectEqual(relu(conv2d(x, kernel, { stride, padding: 1 })), block.eval().forward(x))
    expect(kernel.dataSync().every(value => value !== 0)).toBe(true)
  })
})

test('other layers are refused', () => {
  expect(() => compositeKernel(new nn.AvgPool2d({ kernel: 2 }))).toThrow(
    expect.objectContaining({
      name: 'UnsupportedError',
      message: 'linearChain: expected a convolution, an IGC layer or an IGCV2 block but received a AvgPool2d',
    }),
  )
})
