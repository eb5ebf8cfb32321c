/** The papers' channel permutation on anything that there is one of a channel. Checked in test/theory. */
import { checkWhole } from './checks.ts'

/**
 * Reorder(factor): out[q * factor + p] = in[p * (C / factor) + q], as the op `reorder` does it to the channels of images.
 * @throws RangeError unless the factor divides the number of channels
 */
export function reorderChannels<T>(channels: readonly T[], factor: number): T[] {
  checkWhole('reorderChannels', { factor })
  const perFactor = channels.length / factor
  if (!Number.isInteger(perFactor)) {
    throw new RangeError(`reorderChannels: expected channels divisible by ${factor} but received ${channels.length}`)
  }
  return Array.from(channels, (_, out) => channels[(out % factor) * perFactor + Math.floor(out / factor)] as T)
}
