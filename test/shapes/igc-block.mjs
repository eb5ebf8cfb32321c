/**
 * The shapes of interleaved group convolutions, for generate.mjs. L primary groups of a 3x3 (or other) convolution
 * C -> K, then M secondary groups of a 1x1 convolution K -> K. M = K/L is the paper's block, where the two
 * permutations cancel; other M are the authors' quirk and its like.
 */
import { networkBlocks } from './network-layers.mjs'

function block(name, why, { N = 2, H = 5, W = 6, C, K = C, R = 3, S = R, stride = 1, padding = R >> 1, L, M = K / L }) {
  return { name, why, N, H, W, C, K, R, S, stride, padding, L, M }
}

/** The paper's study of L and M at equal parameters (about 4,672 a block). */
function partitionStudy() {
  const grid = [
    [64, 1],
    [40, 2],
    [28, 3],
    [21, 4],
    [12, 6],
    [9, 7],
    [6, 9],
    [5, 10],
    [3, 13],
    [2, 16],
    [1, 23],
  ]
  return grid.map(([L, M]) => block(`study-l${L}m${M}`, 'partition study', { H: 8, W: 8, C: L * M, L }))
}

function edges() {
  const why = 'edge'
  return [
    block('l1m1', why, { C: 1, L: 1 }),
    block('batch-0', why, { N: 0, C: 12, L: 4 }),
    block('batch-1', why, { N: 1, C: 12, L: 4 }),
    // The last band of rows has more chunks of 64 pixels than the others.
    block('uneven-bands', why, { N: 1, H: 21, W: 64, C: 8, L: 4 }),
    block('one-pixel', why, { H: 1, W: 1, C: 12, L: 4 }),
    block('one-row', why, { H: 1, W: 17, C: 12, L: 4 }),
    block('one-column', why, { H: 17, W: 1, C: 12, L: 4 }),
    block('wide', why, { H: 3, W: 40, C: 12, L: 4 }),
    block('odd-stride-2', why, { H: 7, W: 9, C: 12, K: 24, L: 4, stride: 2 }),
    block('one-pixel-stride-2', why, { H: 1, W: 1, C: 12, K: 24, L: 4, stride: 2 }),
    block('stride-3', why, { H: 8, W: 7, C: 12, L: 4, stride: 3 }),
    block('no-padding', why, { C: 12, L: 4, padding: 0 }),
    block('padding-2', why, { C: 12, L: 4, padding: 2 }),
    block('kernel-1', why, { C: 12, L: 4, R: 1 }),
    block('kernel-2', why, { C: 12, L: 4, R: 2, padding: 0 }),
    block('kernel-5', why, { C: 12, L: 4, R: 5 }),
    block('kernel-7', why, { C: 12, L: 4, R: 7 }),
    block('kernel-1x3', why, { C: 12, L: 4, R: 1, S: 3, padding: 1 }),
    block('regular-then-scale', why, { C: 20, L: 1 }),
    block('channel-wise-then-dense', why, { C: 20, L: 20 }),
    block('widens-without-stride', why, { C: 12, K: 24, L: 4 }),
    block('narrows', why, { C: 24, K: 12, L: 4 }),
  ]
}

/** Every M from 1 to 32 with few and many partitions L, stride 1 and 2. */
function partitions() {
  const shapes = []
  for (let M = 1; M <= 32; M++) {
    for (const L of M <= 8 ? [2, 3, 5, 24, 25, 48, 96, 100] : [2, 3, 7]) {
      const stride = (L + M) % 2 === 0 ? 1 : 2
      const C = L * M
      const K = stride === 2 && L <= 25 ? 2 * C : C
      shapes.push(block(`l${L}m${M}-stride-${stride}`, 'partitions', { N: 1, H: 3, W: 4, C, K, L, stride }))
    }
  }
  return shapes
}

/** K is not L*M: the two permutations do not cancel. */
function quirks() {
  return [
    block('quirk-small', 'quirk', { C: 6, K: 12, L: 3, M: 2, stride: 2 }),
    block('quirk-m1', 'quirk', { C: 5, K: 10, L: 5, M: 1, stride: 2 }),
    block('quirk-odd', 'quirk', { H: 7, W: 5, C: 15, K: 30, L: 5, M: 3, stride: 2 }),
    block('quirk-coprime', 'quirk', { C: 12, K: 12, L: 4, M: 4 }),
    block('quirk-dense-secondary', 'quirk', { C: 12, K: 24, L: 4, M: 1 }),
    block('quirk-channel-wise-secondary', 'quirk', { C: 12, K: 24, L: 4, M: 24 }),
  ]
}

/** Blocks of the ImageNet networks on maps that the naive reference can afford. */
function imagenet() {
  const why = 'ImageNet networks, smaller maps'
  return [
    block('imagenet-l100m2-first', why, { N: 1, H: 4, W: 4, C: 100, K: 200, L: 100 }),
    block('imagenet-l100m2-stage-0', why, { N: 1, H: 4, W: 4, C: 200, L: 100 }),
    block('imagenet-l200m2-stage-1', why, { N: 1, H: 3, W: 3, C: 400, L: 200 }),
    block('imagenet-l16m16-stage-0', why, { N: 1, H: 4, W: 4, C: 256, L: 16 }),
    block('imagenet-l4m32-stage-0', why, { N: 1, H: 4, W: 4, C: 128, L: 4 }),
    block('imagenet-l4m32-stage-1-first', why, { N: 1, H: 4, W: 4, C: 128, K: 256, L: 4, stride: 2 }),
  ]
}

export function igcBlockShapes() {
  return [...edges(), ...quirks(), ...networkBlocks(), ...partitionStudy(), ...imagenet(), ...partitions()]
}
