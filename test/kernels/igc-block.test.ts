/**
 * igcBlock: `cpu` gives the numbers of `reference` over test/shapes/igc-block.json; on both devices the block equals the
 * four operators that define it, forward and backward, and the dense convolution with the composite kernel; it is
 * dense in the channels, and with L and M swapped it is not. Between norms (applied to x, carried out for dy) `cpu` gives
 * the numbers of `reference` too, which composes them.
 */
import { describe, expect, it } from 'vitest'
import { type NativeTensor, native } from '../../src/native.ts'
import { type IgcBlockShape, igcBlockShapes } from '../shapes/shapes.ts'
import { DEVICE, expectClose, expectExact, integers, type Place, runKernel } from '../support/kernel-compare.ts'
import { igcBlockKernel, normedIgcBlockKernel } from './convolution-kernels.ts'

const PLACES: Place[] = [
  { device: 'reference', dtype: 'f64' },
  { device: 'reference', dtype: 'f32' },
  { device: DEVICE, dtype: 'f32' },
]
const SAMPLE = igcBlockShapes.filter(({ why }) => why === 'edge' || why === 'quirk' || why === 'partition study')

for (const why of new Set(igcBlockShapes.map(shape => shape.why))) {
  describe(`igcBlock, ${why}`, () => {
    it.each(igcBlockShapes.filter(shape => shape.why === why))('$name', shape => {
      return expectExact(igcBlockKernel(shape))
    })
  })
}

/** Sums of n random numbers of size 1 pass through values of about sqrt(n), and those with x - mean, up to 4, are larger. */
function magnitudes({ N, H, W }: IgcBlockShape): Record<string, number> {
  const pixels = Math.sqrt(N * H * W)
  const sum = 4 * pixels
  const sums = { dgamma: sum, dbeta: sum, overDgamma: sum, overDbeta: sum, plainDgamma: sum, plainDbeta: sum }
  const over = { overDPrimary: pixels, overDSecondary: pixels }
  const through = { throughDgamma: sum, throughDbeta: sum, throughDPrimary: pixels, throughDSecondary: pixels }
  return {
    ...sums,
    ...over,
    ...through,
    dPrimary: pixels,
    dSecondary: pixels,
    plainDPrimary: pixels,
    plainDSecondary: pixels,
  }
}

// Every norm that is possible before and behind the block; sums that round come from other numbers than the exact ones.
const inference = { yTraining: false }
describe.each([
  { xRelu: true, yRelu: true, ...inference },
  { xRelu: false, yRelu: false, ...inference },
])('igcBlock between norms, x with ReLU $xRelu, y with ReLU $yRelu', norms => {
  it.each(norms.xRelu ? igcBlockShapes : SAMPLE)('$name', shape =>
    expectExact(normedIgcBlockKernel(shape, norms, true)),
  )
})

describe('igcBlock between norms in training', () => {
  const norms = { xRelu: true, yRelu: false, yTraining: true } // behind a ReLU one rounding may flip a whole value of y
  it.each(igcBlockShapes.filter(({ N }) => N > 0))('$name', shape =>
    expectClose(normedIgcBlockKernel(shape, norms, false), magnitudes(shape)),
  )
})

/** 4 MiB of outputs: as many as `cpu` writes past the caches (native/cpu/streams.h). */
const LARGE: IgcBlockShape = {
  ...{ name: 'large', why: 'edge', N: 16, H: 64, W: 64, C: 16, K: 16 },
  ...{ R: 3, S: 3, stride: 1, padding: 1, L: 8, M: 2 },
}

it('igcBlock with an output larger than the caches', () => expectExact(igcBlockKernel(LARGE)))
it('igcBlock with an output larger than the caches, between norms', () => {
  const norms = { xRelu: true, yRelu: false, yTraining: true }
  return expectClose(normedIgcBlockKernel(LARGE, norms, false), magnitudes(LARGE))
})

describe.each(PLACES)('igcBlock on $device in $dtype', place => {
  it.each(SAMPLE)('equals its four operators: $name', shape => {
    const block = runKernel(igcBlockKernel(shape), place)
    const composed = runKernel(put => {
      const { stride, padding, L, M } = shape
      const x = put(integers([shape.N, shape.H, shape.W, shape.C], 1))
      const primary = put(integers([shape.K, shape.R, shape.S, shape.C / L], 2))
      const secondary = put(integers([shape.K, 1, 1, shape.K / M], 3))
      const z = native.conv2dForward(x, primary, { stride, padding, groups: L })
      const u = native.reorderForward(z, { factor: L })
      const v = native.conv2dForward(u, secondary, { stride: 1, padding: 0, groups: M })
      const y = native.reorderForward(v, { factor: M })
      const dy = put(integers(native.tensorInfo(y).shape, 4))
      const gradients = composedBackward(shape, { x, primary, secondary, z, u, dy })
      return { z, y, u, v, ...gradients }
    }, place)
    for (const name of ['y', 'dx', 'dPrimary', 'dSecondary']) {
      expect(block.get(name), name).toEqual(composed.get(name))
      if (name !== 'y') expect(block.get(`${name}Alone`), name).toEqual(composed.get(name))
    }
  })

  it.each(SAMPLE.filter(({ N, stride, K, L, M }) => N > 0 && stride === 1 && K === L * M))(
    'equals the dense convolution with the composite kernel: $name',
    shape => {
      const { y } = Object.fromEntries(runKernel(igcBlockKernel(shape), place))
      const dense = runKernel(put => {
        const x = put(integers([shape.N, shape.H, shape.W, shape.C], 1))
        const kernel = put(compositeKernel(shape))
        const { stride, padding } = shape
        return { y: native.conv2dForward(x, kernel, { stride, padding, groups: 1 }) }
      }, place)
      expect(y).toEqual(dense.get('y'))
    },
  )

  it('reaches every output channel from every input channel', () => {
    for (const [L, M] of [
      [3, 2],
      [6, 4],
      [24, 2],
      [2, 16],
      [7, 1],
      [1, 7],
    ] as const) {
      expect(reached(place, L, M, L, M), `L ${L}, M ${M}`).toBe(1)
    }
  })

  it('does not with the factors of the two permutations swapped', () => {
    for (const [L, M] of [
      [3, 2],
      [6, 4],
      [24, 2],
      [2, 16],
    ] as const) {
      expect(reached(place, L, M, M, L), `L ${L}, M ${M}`).toBeLessThan(1)
    }
  })
})

interface Composed {
  x: NativeTensor
  primary: NativeTensor
  secondary: NativeTensor
  z: NativeTensor
  u: NativeTensor
  dy: NativeTensor
}

function composedBackward(shape: IgcBlockShape, { x, primary, secondary, u, z, dy }: Composed) {
  const { N, H, W, C, K, R, S, L, M } = shape
  const params = { stride: shape.stride, padding: shape.padding, groups: L }
  const pointwise = { stride: 1, padding: 0, groups: M }
  const dv = native.reorderBackwardInput(dy, { factor: M })
  const du = native.conv2dBackwardInput(dv, secondary, { ...pointwise, shape: native.tensorInfo(z).shape })
  const dz = native.reorderBackwardInput(du, { factor: L })
  return {
    dv,
    du,
    dz,
    dx: native.conv2dBackwardInput(dz, primary, { ...params, shape: [N, H, W, C] }),
    dPrimary: native.conv2dBackwardWeight(dz, x, { ...params, shape: [K, R, S, C / L] }),
    dSecondary: native.conv2dBackwardWeight(dv, u, { ...pointwise, shape: [K, 1, 1, K / M] }),
  }
}

/** The kernel [K, R, S, C] of the dense convolution that the block amounts to: y[l'M + m] = sum over l of ws[mL + l', l] z[lM + m]. */
function compositeKernel({ C, K, R, S, L, M }: IgcBlockShape) {
  const width = C / L
  const taps = R * S
  const primary = integers([K, R, S, width], 2).data
  const secondary = integers([K, 1, 1, L], 3).data
  const data = new Float64Array(K * taps * C)
  for (let out = 0; out < K; out++) {
    const m = out % M
    const row = m * L + Math.floor(out / M)
    for (let c = 0; c < C; c++) {
      const l = Math.floor(c / width)
      const k = l * M + m
      for (let tap = 0; tap < taps; tap++) {
        const weight = primary[(k * taps + tap) * width + (c % width)] as number
        data[(out * taps + tap) * C + c] = (secondary[row * L + l] as number) * weight
      }
    }
  }
  return { shape: [K, R, S, C], data }
}

/** The share of (input, output) channel pairs that conv(L) - reorder(first) - conv(M) - reorder(second) connects. */
function reached(place: Place, L: number, M: number, first: number, second: number): number {
  const C = L * M
  const { y } = Object.fromEntries(
    runKernel(put => {
      const ones = (shape: number[]) => put({ shape, data: new Float64Array(shape.reduce((a, b) => a * b)).fill(1) })
      // One pixel for each input channel: pixel c has a 1 in channel c alone.
      const x = put({
        shape: [1, 1, C, C],
        data: Float64Array.from({ length: C * C }, (_, i) => (i % (C + 1) === 0 ? 1 : 0)),
      })
      const z = native.conv2dForward(x, ones([C, 1, 1, M]), { stride: 1, padding: 0, groups: L })
      const u = native.reorderForward(z, { factor: first })
      const v = native.conv2dForward(u, ones([C, 1, 1, L]), { stride: 1, padding: 0, groups: M })
      return { z, u, v, y: native.reorderForward(v, { factor: second }) }
    }, place),
  )
  const values = [...(y as Float64Array)]
  return values.filter(value => value !== 0).length / values.length
}
