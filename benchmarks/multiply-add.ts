/** The measure of the partition study. Checked in test/benchmarks/docs.test.ts. */
import type { BenchReport } from '../src/cli/bench.ts'

/** Nanoseconds of a training step by the multiply-adds of its forward pass. */
export function timeAMultiplyAdd({
  train,
  batchSize,
  multiplyAdds,
}: Pick<BenchReport, 'train' | 'batchSize' | 'multiplyAdds'>): number {
  return (1e6 * train.median) / (batchSize * multiplyAdds)
}
