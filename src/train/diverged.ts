/** Training that went astray: what ends a run before it would keep it. Checked in test/unit/diverged.test.ts. */
import { IgcError } from '../errors.ts'
import type { StoredTensor } from './safetensors.ts'
import type { TrainingState } from './training-state.ts'

const diverged = (found: string) =>
  new IgcError(
    'ERR_IGC_DIVERGED',
    `train: expected ${found}; the checkpoint before it stays. A smaller learning rate may help`,
  )

/** @throws IgcError unless the loss of a step is finite */
export function checkLoss(loss: number, { epoch, batch }: TrainingState['position']): void {
  if (Number.isFinite(loss)) return
  throw diverged(`a finite loss but received ${loss} in step ${batch + 1} of epoch ${epoch} (counted from 0)`)
}

/** @throws IgcError unless all values are finite: the loss of a step says nothing of the weights behind it */
export function checkFinite(tensors: ReadonlyMap<string, StoredTensor>, steps: number): void {
  for (const [name, { data }] of tensors) {
    const wrong = data.find(value => !Number.isFinite(value))
    if (wrong !== undefined) throw diverged(`finite values but received ${wrong} in ${name} after ${steps} steps`)
  }
}
