/**
 * 10,000 training steps on the device `cuda` at flat memory: what tensors hold, and what was taken from the GPU, is after
 * the last step what it was after the first hundred. For scripts/gpu-check; the number of steps may be given.
 */
import { device, models, nn, optim, scope, tensor } from '../../src/index.ts'

const STEPS = Number(process.argv[2] ?? 10_000)
const SETTLED = Math.min(100, STEPS >> 1)
const BATCH = 32
const on = { device: 'cuda' } as const

const net = models.plainIgc({ depth: 8, primaryPartitions: 24, secondaryPartitions: 2, classes: 10, ...on })
const sgd = optim.sgd(net.parameters(), { lr: 0.01, momentum: 0.9, nesterov: true, weightDecay: 1e-4 })
const images = tensor(new Float32Array(BATCH * 32 * 32 * 3).fill(0.5), [BATCH, 32, 32, 3], on)
const labels = tensor(
  Int32Array.from({ length: BATCH }, (_, i) => i % 10),
  [BATCH],
  on,
)

let settled = device.memory('cuda')
for (let i = 1; i <= STEPS; i++) {
  using _step = scope()
  const loss = nn.crossEntropy(net.forward(images), labels)
  loss.backward()
  sgd.step()
  if (i % 50 === 0 && !Number.isFinite((await loss.data())[0])) throw new Error(`step ${i}: the loss is not finite`)
  if (i === SETTLED) settled = device.memory('cuda')
}
const { bytesInUse, bytesReserved } = device.memory('cuda')
console.log(`flat-memory: ${bytesInUse} bytes in use, ${bytesReserved} reserved, after ${STEPS} steps`)
if (bytesInUse > settled.bytesInUse || bytesReserved > settled.bytesReserved) {
  throw new Error(`expected ${settled.bytesInUse} and ${settled.bytesReserved} bytes, as after ${SETTLED} steps`)
}
