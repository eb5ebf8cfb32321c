/**
 * Maps of bf16 and f16 on the CUDA kernels, which run on the host: every op against `reference` in f32 on the same
 * (rounded) values. What is stored is rounded once, so it may differ by half a unit in the last place, and by little more
 * where an op stores something in between.
 */
import './on-host.ts'
import { describe, expect, it } from 'vitest'
import type { FloatDType, Shape, Tensor } from '../../src/index.ts'

const igcnet = await import('../../src/index.ts')
const { DTypeError, Generator, models, nn, noGrad, optim, scope, tensor, UnsupportedError, zeros } = igcnet

type Half = 'bf16' | 'f16'
/** cuDNN takes weights that are rounded, too. */
const CONVOLUTIONS = process.env.IGCNET_TEST_GPU === '1' ? 4 : 1
type Any = Tensor<Shape, FloatDType>
/** Relative error of rounding to the nearest. */
const UNIT: Record<Half, number> = { bf16: 2 ** -8, f16: 2 ** -11 }

/** One of the two sides: gives maps and parameters with the same values. */
class Side {
  readonly #seeds = { next: 1 }
  readonly half: Half
  readonly device: 'cuda' | 'reference'
  readonly learning: Any[] = []

  constructor(half: Half, device: 'cuda' | 'reference') {
    this.half = half
    this.device = device
  }

  map(...shape: number[]): never {
    const rounded = tensor(this.#values(shape), shape, { dtype: this.half, device: 'cuda' })
    const x = this.device === 'cuda' ? rounded : tensor(rounded.dataSync(), shape, { device: 'reference' })
    return this.#learns(x)
  }

  parameter(...shape: number[]): never {
    return this.#learns(tensor(this.#values(shape), shape, { device: this.device }))
  }

  #values(shape: number[]): Float32Array {
    return new Generator(this.#seeds.next++).normal(shape).dataSync()
  }

  #learns(x: Tensor<Shape, FloatDType>): never {
    x.requiresGrad = true
    this.learning.push(x)
    return x as never
  }
}

function differs(actual: ArrayLike<number>, expected: ArrayLike<number>, unit: number): string | undefined {
  const squares = Array.from(expected, value => value * value).reduce((sum, value) => sum + value, 0)
  const typical = Math.sqrt(squares / Math.max(expected.length, 1))
  if (actual.length !== expected.length) return `${actual.length} values instead of ${expected.length}`
  if (typical === 0) return 'only zeros are expected: not trustworthy'
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [actual[i] as number, expected[i] as number]
    const error = Math.abs(a - b)
    if (!(error <= unit * (Math.abs(b) + typical))) return `value ${i}: ${a} instead of ${b}`
  }
  return undefined
}

/** Results and all gradients of `body`, compared. `units`: how often a value is rounded on its way. */
function compare(half: Half, units: number, body: (side: Side) => Any | Any[]): void {
  using _all = scope()
  const run = (device: 'cuda' | 'reference') => {
    const side = new Side(half, device)
    const results = [body(side)].flat()
    const y = results[0] as Any
    if (y.requiresGrad) {
      const seed = tensor(new Generator(99).normal(y.shape).dataSync(), y.shape, { dtype: half, device: 'cuda' })
      const dy = tensor(seed.dataSync(), y.shape, { dtype: y.dtype, device })
      y.backward(dy)
    }
    const gradients = side.learning.map(x => x.grad).filter(gradient => gradient !== undefined)
    return [...results, ...gradients].map(x => ({ dtype: x.dtype, values: x.dataSync() }))
  }
  const [actual, expected] = [run('cuda'), run('reference')]
  expect(actual.length).toBe(expected.length)
  for (const [i, { values }] of actual.entries()) {
    expect(differs(values, expected[i]?.values ?? [], units * UNIT[half]), `result or gradient ${i}`).toBeUndefined()
  }
}

describe.each(['bf16', 'f16'] as const)('%s', half => {
  it.each<[string, number, (s: Side) => Any | Any[]]>([
    ['add', 1, s => igcnet.add(s.map(3, 5, 7), s.map(3, 5, 7)) as Any],
    ['addRelu', 1, s => igcnet.addRelu(s.map(3, 5, 7), s.map(3, 5, 7)) as Any],
    ['relu', 1, s => igcnet.relu(s.map(1031))],
    ['relu6', 1, s => igcnet.relu6(s.map(1031))],
    ['reorder', 1, s => igcnet.reorder(s.map(7, 3, 30), { factor: 6 } as never)],
    ['reorder of long rows', 1, s => igcnet.reorder(s.map(3, 2400), { factor: 40 } as never)],
    ['avgPool2d', 1, s => igcnet.avgPool2d(s.map(2, 7, 6, 5), { kernel: 3, stride: 2, padding: 1 })],
    ['maxPool2d', 1, s => igcnet.maxPool2d(s.map(2, 7, 6, 5), { kernel: 3, stride: 2, padding: 1 })],
    ['globalAvgPool2d', 1, s => igcnet.globalAvgPool2d(s.map(3, 5, 4, 9))],
    ['dropout', 1, s => igcnet.dropout(s.map(4, 33), { rate: 0.25, seed: 3 })],
    [
      'conv2d',
      CONVOLUTIONS,
      s => igcnet.conv2d(s.map(2, 6, 5, 12), s.parameter(18, 3, 3, 4), { padding: 1, groups: 3 }),
    ],
    [
      'conv2d at a stride',
      CONVOLUTIONS,
      s => igcnet.conv2d(s.map(2, 7, 5, 6), s.parameter(4, 3, 3, 6), { padding: 1, stride: 2 }),
    ],
    ['linear', 1, s => igcnet.linear(s.map(5, 12), s.parameter(7, 12), s.parameter(7)) as Any],
    ['softmax', 1, s => igcnet.softmax(s.map(5, 12)) as Any],
    [
      'crossEntropy',
      2,
      s => {
        const labels = tensor(Int32Array.from([0, 3, 1, 2, 3]), [5], { device: s.device })
        return igcnet.crossEntropy(s.map(5, 4), labels as never, { labelSmoothing: 0.1 }) as Any
      },
    ],
    ...[true, false].map((training): [string, number, (s: Side) => Any] => [
      `batchNorm2d, ${training ? 'training' : 'inference'}`,
      2,
      s => {
        const running = [zeros([6], { device: s.device }), igcnet.ones([6], { device: s.device })] as const
        const [gamma, beta] = [s.parameter(6), s.parameter(6)]
        return igcnet.batchNorm2d(s.map(3, 5, 4, 6), gamma, beta, running[0] as never, running[1] as never, {
          training,
        })
      },
    ]),
  ])('%s', (_, units, body) => compare(half, units, body))

  it.each([
    { L: 24, M: 2, C: 48, H: 9, stride: 1 },
    { L: 6, M: 4, C: 24, H: 10, stride: 1 },
    { L: 5, M: 3, C: 15, H: 6, stride: 1 },
    { L: 7, M: 1, C: 7, H: 6, stride: 1 },
    { L: 4, M: 8, C: 16, H: 8, stride: 2 },
    { L: 4, M: 2, C: 4, H: 8, stride: 1 }, // K != L*M: four operators
  ])('igcBlock, %o', ({ L, M, C, H, stride }) => {
    const K = C === 4 ? 16 : L * M
    compare(half, CONVOLUTIONS * (C === 4 ? 8 : 3), s => {
      const [x, primary, secondary] = [s.map(2, H, 7, C), s.parameter(K, 3, 3, C / L), s.parameter(K, 1, 1, K / M)]
      const options = { primaryPartitions: L, secondaryPartitions: M, stride, padding: 1 }
      return igcnet.igcBlock(x, primary, secondary, options as never) as Any
    })
  })

  it('igcBlock between batch norms that it carries out', () => {
    const results = (['cuda', 'reference'] as const).map(device => {
      using _all = scope()
      const options = { primaryPartitions: 4, secondaryPartitions: 2, inChannels: 8, outChannels: 8, device }
      const blocks = [1, 2].map(seed => new nn.IgcBlock({ ...options, generator: new Generator(seed) }))
      // Values that both types hold, so that few ReLUs go the other way.
      const values = tensor(new Generator(1).normal([4, 6, 6, 8]).dataSync(), [4, 6, 6, 8], {
        dtype: 'bf16',
      }).dataSync()
      const x = tensor(values, [4, 6, 6, 8], { dtype: device === 'cuda' ? half : 'f32', device }) as Tensor<
        readonly [4, 6, 6, 8],
        'f32'
      >
      x.requiresGrad = true
      const y = blocks.reduce((map, block) => block.forward(map) as typeof x, x)
      const dy = tensor(new Generator(9).normal([4, 6, 6, 8]).dataSync(), [4, 6, 6, 8], { dtype: y.dtype, device })
      y.backward(dy)
      const parameters = blocks.flatMap(block => block.parameters())
      return [y, x.grad, ...parameters.map(p => p.grad)].map(t => (t as Any).dataSync())
    })
    const [actual = [], expected = []] = results
    // ReLUs near 0 go the other way for some values of bf16: the error is that of the whole.
    for (const [i, values] of expected.entries()) {
      const norm = (at: (j: number) => number) => Math.hypot(...Array.from(values, (_, j) => at(j)))
      const difference = norm(j => (actual[i]?.[j] as number) - (values[j] as number))
      expect(difference / norm(j => values[j] as number), `part ${i}`).toBeLessThan(half === 'bf16' ? 0.1 : 0.002)
    }
  })

  it('trains a network with parameters in f32', () => {
    const losses = (['cuda', 'reference'] as const).map(device => {
      using _all = scope()
      const net = models.plainIgc({
        depth: 5,
        primaryPartitions: 4,
        secondaryPartitions: 2,
        classes: 4,
        seed: 1,
        device,
      })
      const sgd = optim.sgd(net.parameters(), { lr: 0.05, momentum: 0.9 })
      const values = new Generator(4).normal([4, 16, 16, 3]).dataSync()
      const dtype = device === 'cuda' ? half : 'f32'
      const images = tensor(values, [4, 16, 16, 3], { dtype, device })
      const labels = tensor(Int32Array.from([0, 1, 2, 3]), [4], { device })
      return Array.from({ length: 6 }, () => {
        using _step = scope()
        const logits = net.forward(images as never)
        expect(logits.dtype).toBe('f32')
        const loss = nn.crossEntropy(logits, labels)
        loss.backward()
        sgd.step()
        return loss.dataSync()[0] as number
      })
    })
    const [actual = [], expected = []] = losses
    for (const [i, loss] of expected.entries()) expect(Math.abs((actual[i] as number) - loss)).toBeLessThan(0.03)
    expect(actual.at(-1)).toBeLessThan((actual[0] as number) - 0.2)
  })

  it('uniforms stay below high where they are rounded', () => {
    for (const [low, high] of [
      [0, 1],
      [-2, -1],
      [-1, 0],
    ] as const) {
      using x = new Generator(1).uniform([1 << 15], { low, high, dtype: half, device: 'cuda' })
      const values = x.dataSync()
      expect(values.every(value => value >= low && value < high)).toBe(true)
    }
  })

  it('refuses parameters of its own dtype, and devices that have none', () => {
    using _all = scope()
    const x = zeros([1, 4, 4, 4], { dtype: half, device: 'cuda' })
    const w = zeros([4, 1, 1, 4], { dtype: half, device: 'cuda' })
    expect(() => igcnet.conv2d(x, w as never)).toThrow(
      new DTypeError(`conv2d: expected f32 for w beside x ${half} but received ${half}`),
    )
    const onCpu = zeros([3], { dtype: half })
    expect([...onCpu.dataSync()]).toEqual([0, 0, 0])
    expect(() => noGrad(() => igcnet.relu(onCpu))).toThrow(
      new UnsupportedError(
        `relu: expected a dtype that device cpu computes in but received ${half} (the device cuda computes in f32, bf16 and f16)`,
      ),
    )
  })
})
