/** One step of training, enqueued: the same for the trainer and for benchmarks. Checked in test/unit/trainer.test.ts. */
import type { PlainBatch } from '../data/index.ts'
import type { Network } from '../models/index.ts'
import { crossEntropy } from '../nn/index.ts'
import type { Sgd } from '../optim/index.ts'
import { scope } from '../scope.ts'
import type { DeviceName } from '../tensor.ts'
import { readResults, toDevice } from './evaluate.ts'

export interface StepOptions {
  device: DeviceName
  labelSmoothing: number
}

/**
 * Enqueues forward pass, loss, backward pass and optimiser step for a batch, and the reading of loss and logits. Nothing
 * waits; the batch may be used again at once.
 */
export function enqueueStep(
  net: Network,
  sgd: Sgd,
  batch: PlainBatch,
  { device, labelSmoothing }: StepOptions,
): ReturnType<typeof readResults> {
  using _step = scope()
  const { images, labels } = toDevice(batch, device)
  const logits = net.forward(images)
  const loss = crossEntropy(logits, labels, { labelSmoothing })
  loss.backward()
  sgd.step()
  return readResults(loss, logits)
}
