/** All steps of batchNorm2d, for batch-norm2d, threads and simd tests. */
import { native } from '../../src/native.ts'
import type { MapShape } from '../shapes/shapes.ts'
import { type Kernel, normals } from '../support/kernel-compare.ts'

export function batchNorm2dKernel(
  { N, H, W, C }: MapShape,
  training: boolean,
  { mean: center = 0.5, deviation = 2, relu = false } = {},
): Kernel {
  const params = { training, momentum: 0.9, epsilon: 2e-5 }
  return put => {
    const x = put(normals([N, H, W, C], 1, center, deviation))
    const dy = put(normals([N, H, W, C], 2))
    const gamma = put(normals([C], 3, 1, 0.1))
    const beta = put(normals([C], 4, relu ? 2 : 0)) // of one channel a ReLU must not hide all
    const runningMean = put(normals([C], 5, center, 0.1))
    const runningVar = put(normals([C], 6, 1, 0.1))
    const statistics = native.batchNorm2dStatistics(x)
    const norm = native.batchNorm2dPrepare(x, gamma, beta, runningMean, runningVar, params, statistics)
    const y = native.batchNorm2dApply(x, norm, { relu })
    const weights = native.batchNorm2dBackwardWeight(dy, x, norm, { relu })
    const dx = native.batchNorm2dBackwardInput(dy, x, norm, weights.gamma, weights.beta, { relu, training })
    return { y, statistics, norm, runningMean, runningVar, dgamma: weights.gamma, dbeta: weights.beta, dx }
  }
}

/** A sum of n random numbers of size 1 passes through values of about sqrt(n), however small it ends. */
export function sumMagnitudes({ N, H, W }: MapShape): Record<string, number> {
  const size = Math.sqrt(N * H * W)
  return { dgamma: size, dbeta: size }
}
