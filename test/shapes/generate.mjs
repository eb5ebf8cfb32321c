/**
 * Writes the shape lists of this folder: one list per operator, for the kernel tests and the benchmarks.
 *
 *     node test/shapes/generate.mjs
 *
 * An entry is { name, why, sizes }; names are unique within a list, and `why` is the entry's group. Sizes have the
 * letters of the papers: N H W C input, K output channels, R S kernel, L M primary and secondary partitions.
 * Networks' layers have their original image sizes at batch 2. The other shapes are small, so that the naive
 * reference stays quick; the script prints each list's multiply-adds of one forward pass. The script stops at a
 * shape that does not exist (groups that do not divide, an image smaller than the kernel) and at a name used twice.
 */
import { writeFileSync } from 'node:fs'
import { igcBlockShapes } from './igc-block.mjs'
import { layerConvolutions } from './network-layers.mjs'

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

/** A convolution with the defaults that most shapes have: 3x3, padded to the same size, dense. */
function conv(name, why, { N = 2, H = 5, W = 6, C, K = C, R = 3, S = R, stride = 1, padding = R >> 1, groups = 1 }) {
  return { name, why, N, H, W, C, K, R, S, stride, padding, groups }
}

function edgeConvolutions() {
  const why = 'edge'
  return [
    conv('one-element', why, { N: 1, H: 1, W: 1, C: 1, R: 1 }),
    conv('one-pixel', why, { N: 1, H: 1, W: 1, C: 6, K: 4 }),
    conv('batch-0', why, { N: 0, C: 6, K: 4 }),
    conv('batch-0-grouped', why, { N: 0, C: 48, stride: 2, groups: 24 }),
    conv('batch-1', why, { N: 1, C: 6, K: 4 }),
    conv('batch-1-grouped', why, { N: 1, C: 48, groups: 24 }),
    conv('batch-3-grouped-stride-2', why, { N: 3, H: 7, W: 9, C: 48, K: 96, stride: 2, groups: 24 }),
    conv('one-row', why, { H: 1, W: 17, C: 6, groups: 3 }),
    conv('one-column', why, { H: 17, W: 1, C: 6, groups: 3 }),
    conv('one-row-stride-2', why, { H: 1, W: 17, C: 6, stride: 2, groups: 3 }),
    conv('wide', why, { H: 3, W: 40, C: 8, groups: 4 }),
    conv('tall', why, { H: 40, W: 3, C: 8, groups: 4 }),
    conv('kernel-1x3', why, { C: 6, R: 1, S: 3, padding: 1, groups: 2 }),
    conv('kernel-3x1', why, { C: 6, R: 3, S: 1, padding: 1, groups: 2 }),
    conv('kernel-2x5', why, { H: 7, C: 6, R: 2, S: 5, padding: 1, groups: 2, stride: 2 }),
    conv('kernel-is-the-image', why, { H: 5, W: 4, C: 6, K: 9, R: 5, S: 4, padding: 0 }),
    conv('kernel-over-the-image', why, { H: 2, W: 3, C: 6, R: 5, padding: 2, groups: 3 }),
    conv('padding-over-the-kernel', why, { H: 3, W: 2, C: 6, R: 1, padding: 3, groups: 3 }),
    conv('stride-over-the-kernel', why, { H: 9, W: 8, C: 6, R: 1, stride: 3, padding: 0, groups: 3 }),
    conv('stride-over-the-image', why, { H: 4, W: 4, C: 6, stride: 7, groups: 3 }),
    conv('last-rows-unused', why, { H: 8, W: 9, C: 6, stride: 3, padding: 0, groups: 3 }),
    conv('last-rows-unused-dense', why, { H: 8, W: 8, C: 6, stride: 2, padding: 0 }),
    conv('one-group-to-many-channels', why, { C: 2, K: 37 }),
    conv('many-channels-to-one', why, { C: 37, K: 1 }),
    conv('channel-multiplier-3', why, { C: 5, K: 15, groups: 5 }),
    conv('channels-halve', why, { C: 48, K: 24, groups: 24 }),
    conv('channels-3-to-5-a-group', why, { C: 21, K: 35, groups: 7 }),
  ]
}

/** Kernel 1, 2, 3, 5, 7 x padding 0..3 x stride 1, 2, 3, dense and grouped in turn. */
function kernelConvolutions() {
  const shapes = []
  for (const R of [1, 2, 3, 5, 7]) {
    for (const padding of range(0, 3)) {
      for (const stride of [1, 2, 3]) {
        const groups = (R + padding + stride) % 2 === 0 ? 1 : 3
        const name = `kernel-${R}-padding-${padding}-stride-${stride}-groups-${groups}`
        shapes.push(conv(name, 'kernel', { H: 9, W: 8, C: 6, K: 12, R, stride, padding, groups }))
      }
    }
  }
  return shapes
}

/** Dense convolutions whose channels are around the vector widths 4, 8, 16 and 32. */
function tailConvolutions() {
  const shapes = []
  for (const [i, C] of [1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33].entries()) {
    const K = [17, 8, 33, 1, 16, 31, 5, 32, 9, 15, 4, 7, 3][i]
    shapes.push(conv(`dense-${C}-to-${K}`, 'tail', { C, K }))
    shapes.push(conv(`dense-${C}-to-${K}-stride-2-kernel-1`, 'tail', { C, K, R: 1, stride: 2 }))
  }
  return shapes
}

/** Dense convolutions with so much work that `cpu` may take kernels of its own for them, and the stem of a network. */
function largeConvolutions() {
  const why = 'dense and large'
  return [
    conv('large-32', why, { H: 23, W: 27, C: 32 }),
    conv('large-24-to-40-stride-2', why, { N: 5, H: 29, W: 31, C: 24, K: 40, stride: 2 }),
    conv('large-16-to-24-kernel-5', why, { H: 24, W: 23, C: 16, K: 24, R: 5 }),
    conv('large-32-to-40-padding-0', why, { H: 26, W: 25, C: 32, K: 40, padding: 0 }),
    conv('large-8', why, { N: 16, H: 31, W: 33, C: 8 }),
    conv('large-3-to-48', why, { N: 8, H: 33, W: 31, C: 3, K: 48 }),
  ]
}

/** Every number of channels a group, 1..32, with every listed number of groups and stride 1 and 2. */
function groupConvolutions() {
  const shapes = []
  for (const groups of [1, 2, 3, 5, 24, 48, 96, 100]) {
    for (const width of range(1, 32)) {
      const C = groups * width
      const name = `groups-${groups}-by-${width}`
      const large = groups * width * width > 20_000
      const K = width <= 8 ? 2 * C : C // the layers that halve the image double the channels
      shapes.push(conv(`${name}-stride-1`, 'groups', { N: 1, H: 3, W: large ? 2 : 4, C, groups }))
      shapes.push(conv(`${name}-stride-2`, 'groups', { N: large ? 1 : 2, H: 4, W: 3, C, K, stride: 2, groups }))
    }
  }
  return shapes
}

/** Rows that are longer than the loops work on at a time: a chunk is one row then, and turns are made for parts of it. */
function longRowConvolutions() {
  return range(1, 9).map(width =>
    conv(`row-of-70-groups-by-${width}`, 'long rows', { N: 1, H: 3, W: 70, C: 3 * width, groups: 3 }),
  )
}

/** Rows of every length around the blocks of outputs that the loops make at a time, and around what they unroll. */
function rowLengthConvolutions() {
  const shapes = []
  for (const width of [2, 3, 4, 6, 8, 16]) {
    for (const W of [...range(1, 13), 17, 23, 33]) {
      shapes.push(conv(`row-of-${W}-groups-by-${width}`, 'row lengths', { N: 1, H: 3, W, C: 4 * width, groups: 4 }))
    }
  }
  return shapes
}

/** 1x1 convolutions in few groups of many channels, as the secondary convolution of an IGC block has. */
function pointwiseConvolutions() {
  const shapes = []
  for (const groups of [1, 2, 3, 4, 8, 24]) {
    for (const width of [1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 23, 24, 31, 32, 33, 48, 64]) {
      const C = groups * width
      shapes.push(conv(`pointwise-groups-${groups}-by-${width}`, 'pointwise', { N: 1, H: 3, W: 3, C, R: 1, groups }))
    }
  }
  for (const [groups, width] of [
    [2, 24],
    [4, 12],
    [24, 2],
    [24, 4],
    [5, 7],
  ]) {
    const C = groups * width
    const size = { H: 7, W: 5, C, K: 2 * C, R: 1, stride: 2, groups }
    shapes.push(conv(`projection-groups-${groups}-by-${width}`, 'pointwise', size))
  }
  return shapes
}

/** One shape per fault that a convolution library had, in some direction, without an error. */
function regressionConvolutions() {
  const shapes = [
    conv('pytorch-50042', 'weight gradient wrong (oneDNN, 24 groups)', {
      N: 1,
      H: 6,
      W: 6,
      C: 24,
      stride: 2,
      groups: 24,
    }),
    conv('pytorch-25101', 'input gradient wrong (oneDNN)', {
      N: 1,
      H: 32,
      W: 32,
      C: 9,
      K: 3,
      R: 5,
      stride: 3,
      padding: 1,
    }),
    conv('pytorch-19912', 'output zero (oneDNN, 2 groups)', { N: 1, H: 1, W: 1, C: 4, K: 16, R: 1, groups: 2 }),
    conv('onednn-6035', 'weight gradient wrong, writes outside of its buffer (NHWC, few channels, 1x1, stride 2)', {
      N: 32,
      H: 32,
      W: 32,
      C: 4,
      K: 8,
      R: 1,
      stride: 2,
    }),
    conv('onednn-stride-2-narrow', 'input gradient wrong (oneDNN, ic > 16, iw < 17, stride 2)', {
      H: 8,
      W: 8,
      C: 64,
      K: 17,
      stride: 2,
    }),
    conv('mlx-3800-depthwise-7', 'input gradient wrong (groups > 1, stride > 1)', {
      H: 16,
      W: 16,
      C: 32,
      R: 7,
      stride: 2,
      groups: 32,
    }),
    conv('miopen-1495', 'input gradient wrong (2x2 image, 1x1, stride 2)', {
      N: 4,
      H: 2,
      W: 2,
      C: 64,
      K: 32,
      R: 1,
      stride: 2,
    }),
    conv('composable-kernel-2478', 'weight gradient wrong (grouped 1x1, even channels)', {
      H: 6,
      W: 6,
      C: 16,
      K: 24,
      R: 1,
      groups: 4,
    }),
    conv('composable-kernel-stride-2-dense', 'input gradient has zeros (one group, stride > 1)', {
      H: 8,
      W: 8,
      C: 16,
      K: 32,
      stride: 2,
    }),
  ]
  for (const groups of [24, 48, 72, 96]) {
    for (const width of [1, 2, 4]) {
      for (const stride of [1, 2]) {
        const name = `weight-gradient-groups-${groups}-by-${width}-stride-${stride}`
        shapes.push(conv(name, 'pytorch-50042', { H: 8, W: 8, C: groups * width, stride, groups }))
      }
    }
  }
  for (const [H, W, R, padding] of [
    [8, 8, 3, 1],
    [7, 7, 3, 1],
    [8, 7, 3, 0],
    [9, 9, 1, 0],
    [8, 8, 5, 2],
    [7, 8, 2, 0],
  ]) {
    const name = `input-gradient-stride-2-${H}x${W}-kernel-${R}`
    shapes.push(conv(name, 'mlx-3800', { H, W, C: 48, K: 96, R, stride: 2, padding, groups: 24 }))
  }
  return shapes
}

function pools() {
  const pool = (name, H, W, C, kernel, stride, padding, N = 2) => ({
    name,
    why: 'pool',
    N,
    H,
    W,
    C,
    kernel,
    stride,
    padding,
  })
  const shapes = [
    pool('batch-0', 4, 4, 3, 2, 2, 0, 0),
    pool('batch-1', 4, 4, 3, 2, 2, 0, 1),
    pool('one-pixel', 1, 1, 5, 1, 1, 0),
    pool('whole-map', 8, 8, 192, 8, 8, 0),
    pool('stem', 112, 112, 4, 3, 2, 1, 1),
    pool('overlap-odd', 7, 9, 17, 3, 2, 0),
    pool('gaps', 9, 7, 5, 2, 3, 0),
    pool('kernel-over-the-image', 2, 3, 5, 5, 1, 2),
    pool('wide', 3, 40, 33, 3, 1, 1),
  ]
  for (const kernel of [1, 2, 3, 5]) {
    for (const stride of [1, 2, 3]) {
      for (const padding of range(0, kernel >> 1)) {
        shapes.push(pool(`kernel-${kernel}-stride-${stride}-padding-${padding}`, 8, 7, 6, kernel, stride, padding))
      }
    }
  }
  return shapes
}

/** Batch norm, global average pool: the channels around the vector widths, the networks' maps, and few pixels. */
function maps() {
  const map = (name, N, H, W, C) => ({ name, why: 'map', N, H, W, C })
  return [
    ...range(1, 33).map(C => map(`channels-${C}`, 2, 3, 5, C)),
    ...[48, 63, 64, 65, 96, 100, 192, 1600].map(C => map(`channels-${C}`, 2, 4, 4, C)),
    map('one-value-a-channel', 1, 1, 1, 7),
    map('two-values-a-channel', 2, 1, 1, 7),
    map('batch-1', 1, 8, 8, 48),
    map('batch-64-one-pixel', 64, 1, 1, 10),
    map('one-row', 3, 1, 17, 6),
    map('one-column', 3, 17, 1, 6),
    map('stage-0', 2, 32, 32, 48),
    map('stage-1', 4, 16, 16, 96),
    map('stage-2', 4, 8, 8, 192),
    map('many-values', 16, 32, 32, 3),
  ]
}

function linears() {
  const linear = (name, N, C, K) => ({ name, why: 'linear', N, C, K })
  return [
    linear('one-element', 1, 1, 1),
    linear('batch-0', 0, 5, 3),
    linear('batch-1', 1, 64, 10),
    linear('no-vector', 3, 5, 7),
    linear('tails', 17, 33, 31),
    linear('one-output', 9, 40, 1),
    linear('one-input', 9, 1, 40),
    linear('digits', 64, 192, 10),
    linear('cifar100', 64, 192, 100),
    linear('imagenet', 2, 400, 1000),
    ...range(1, 20).map(C => linear(`channels-${C}`, 5, C, 21 - C)),
  ]
}

/** Every factor of a set of channel counts, also those where the two factors of a block are not inverse. */
function reorders() {
  const shapes = []
  for (const C of [1, 2, 6, 7, 12, 48, 60, 96, 100, 192, 240]) {
    for (const factor of range(1, C).filter(b => C % b === 0)) {
      shapes.push({ name: `channels-${C}-factor-${factor}`, why: 'factor', N: 2, H: 2, W: 3, C, factor })
    }
  }
  shapes.push({ name: 'batch-0', why: 'edge', N: 0, H: 2, W: 3, C: 6, factor: 2 })
  return shapes
}

/** Throws where a shape does not exist; gives the multiply-adds of the forward pass. */
function macs({ name, N, H, W, C, K, R, S, kernel, stride, padding, groups, L, M, factor }) {
  const fail = reason => {
    throw new Error(`shape ${name}: ${reason}`)
  }
  const divides = (a, b) => b % a === 0 || fail(`${a} does not divide ${b}`)
  const out = (size, k) => Math.floor((size + 2 * padding - k) / stride) + 1
  if (factor) divides(factor, C)
  if (kernel) {
    if (out(H, kernel) < 1 || out(W, kernel) < 1 || padding > kernel / 2) fail('no output')
    return N * out(H, kernel) * out(W, kernel) * C * kernel * kernel
  }
  if (R === undefined) return N * C * (H === undefined ? K : H * W)
  const primary = groups ?? L
  divides(primary, C)
  divides(primary, K)
  if (M) divides(M, K)
  if (out(H, R) < 1 || out(W, S) < 1) fail('no output')
  return N * out(H, R) * out(W, S) * K * ((R * S * C) / primary + (M ? K / M : 0))
}

function write(file, shapes) {
  const total = shapes.reduce((sum, shape) => sum + macs(shape), 0)
  const names = new Set(shapes.map(shape => shape.name))
  if (names.size !== shapes.length) throw new Error(`${file}: a name is used twice`)
  const lines = shapes.map(shape => `  ${JSON.stringify(shape)}`)
  writeFileSync(new URL(file, import.meta.url), `[\n${lines.join(',\n')}\n]\n`)
  console.log(`${file}: ${shapes.length} shapes, ${(total / 1e6).toFixed(1)} M multiply-adds`)
}

write('conv2d.json', [
  ...edgeConvolutions(),
  ...kernelConvolutions(),
  ...tailConvolutions(),
  ...largeConvolutions(),
  ...pointwiseConvolutions(),
  ...regressionConvolutions(),
  ...layerConvolutions(),
  ...groupConvolutions(),
  ...longRowConvolutions(),
  ...rowLengthConvolutions(),
])
write('igc-block.json', igcBlockShapes())
write('pool2d.json', pools())
write('batch-norm2d.json', maps())
write('linear.json', linears())
write('reorder.json', reorders())
