/** For simt-tuning.test.ts: computes a block forwards and backwards on `cuda`, and prints a hash of all results. */
import './on-host.ts'
import { createHash } from 'node:crypto'

const { Generator, igcBlock, scope, tensor } = await import('../../src/index.ts')
using _all = scope()
const values = (shape: readonly number[], seed: number) => new Generator(seed).normal(shape).dataSync()
const x = tensor(values([2, 6, 5, 8], 1), [2, 6, 5, 8], { dtype: 'bf16', device: 'cuda', requiresGrad: true })
const primary = tensor(values([8, 3, 3, 2], 2), [8, 3, 3, 2], { device: 'cuda', requiresGrad: true })
const secondary = tensor(values([8, 1, 1, 4], 3), [8, 1, 1, 4], { device: 'cuda', requiresGrad: true })
const dy = tensor(values([2, 6, 5, 8], 4), [2, 6, 5, 8], { dtype: 'bf16', device: 'cuda' })
const y = igcBlock(x, primary, secondary, { primaryPartitions: 4, secondaryPartitions: 2, padding: 1 })
y.backward(dy as never)
const hash = createHash('sha256')
for (const result of [y, x.grad, primary.grad, secondary.grad]) {
  const { buffer, byteOffset, byteLength } = (result as typeof y).dataSync()
  hash.update(new Uint8Array(buffer, byteOffset, byteLength))
}
console.log(hash.digest('hex'))
