/** The mode of a network for as long as a piece of work is enqueued. Checked in test/unit/evaluate.test.ts. */
import type { Network } from '../models/index.ts'

/**
 * Runs `work`, which waits for nothing, with a network in training mode or in inference mode; then each of its layers has
 * the mode from before. Work that waits would leave the mode to whoever uses the network meanwhile.
 */
export function inMode<T>(net: Network, mode: 'training' | 'inference', work: () => T): T {
  const before = Array.from(net.namedModules(), ([, module]) => [module, module.training] as const)
  for (const [module] of before) module.training = mode === 'training'
  try {
    return work()
  } finally {
    for (const [module, training] of before) module.training = training
  }
}
