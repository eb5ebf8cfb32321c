/**
 * The one dense convolution that a block without batch norm and ReLU is equal to, W = P W_d P^T W_p (Zhang et al. 2017,
 * section 3). Checked in test/theory/composite-kernel.test.ts.
 */
import { UnsupportedError } from '../errors.ts'
import type { Conv2d, Module } from '../nn/index.ts'
import { type FloatDType, type Tensor, tensor } from '../tensor.ts'
import { linearChain } from './linear-chain.ts'
import { reorderChannels } from './permutation.ts'

/** A kernel [outChannels, area, inChannels] while it is composed, one array for each out-channel. */
interface Composed {
  rows: Float64Array[]
  /** Positions of the window. */
  area: number
  inChannels: number
}

/**
 * The dense kernel [K, R, S, C] of a convolution or an IGC layer, such that `conv2d(x, kernel, { stride, padding })` with
 * the stride and the padding of its first convolution gives what the layer gives in front of its batch norm, up to
 * rounding. Composed in f64; device and dtype of the layer's weights. Blocks; holds no gradient.
 * @throws UnsupportedError for other layers, or a second spatial convolution
 * @example
 * const block = new nn.InterleavedGroupConv2d({ inChannels: 6, outChannels: 6, primaryPartitions: 3 })
 * conv2d(x, compositeKernel(block), { padding: 1 }) // equals block.forward(x)
 */
export function compositeKernel(layer: Module): Tensor<readonly [number, number, number, number], FloatDType> {
  let composed: Composed | undefined
  let first: Conv2d | undefined
  for (const step of linearChain(layer)) {
    if (step.kind === 'convolution') {
      composed = composed ? behind(composed, step.convolution) : dense(step.convolution)
      first ??= step.convolution
    } else if (composed) composed.rows = reorderChannels(composed.rows, step.factor)
  }
  const { weight } = first as Conv2d
  const { rows, inChannels } = composed as Composed
  const values = new Float64Array(rows.length * (rows[0]?.length ?? 0))
  for (const [k, row] of rows.entries()) values.set(row, k * row.length)
  const shape = [rows.length, weight.shape[1], weight.shape[2], inChannels] as const
  return tensor(values, shape, { dtype: weight.dtype, device: weight.device })
}

/** A (grouped) convolution as a dense kernel: zeros between groups. */
function dense({ weight, groups }: Conv2d): Composed {
  const [outChannels, height, width, perGroup] = weight.shape
  const values = weight.dataSync()
  const [area, inChannels] = [height * width, perGroup * groups]
  const rows = Array.from({ length: outChannels }, (_, k) => {
    const row = new Float64Array(area * inChannels)
    const from = Math.floor(k / (outChannels / groups)) * perGroup
    for (let s = 0; s < area; s++) {
      const start = (k * area + s) * perGroup
      row.set(values.subarray(start, start + perGroup), s * inChannels + from)
    }
    return row
  })
  return { rows, area, inChannels }
}

/** A 1x1 convolution behind a composed kernel: each new row is a sum of the old rows of its group. */
function behind({ rows, area, inChannels }: Composed, { weight, groups }: Conv2d): Composed {
  const [outChannels, height, width, perGroup] = weight.shape
  if (height * width !== 1) {
    throw new UnsupportedError(
      `compositeKernel: expected 1x1 convolutions behind the first but received one of ${height}x${width}`,
    )
  }
  const values = weight.dataSync()
  const mixed = Array.from({ length: outChannels }, (_, k) => {
    const row = new Float64Array(area * inChannels)
    const from = Math.floor(k / (outChannels / groups)) * perGroup
    for (let l = 0; l < perGroup; l++) {
      const [factor, source] = [values[k * perGroup + l] as number, rows[from + l] as Float64Array]
      for (let i = 0; i < row.length; i++) row[i] = (row[i] as number) + factor * (source[i] as number)
    }
    return row
  })
  return { rows: mixed, area, inChannels }
}
