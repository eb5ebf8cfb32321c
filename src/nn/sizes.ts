/** The check of the sizes that layers are made from. Checked in test/unit/layers.test.ts. */
import { ShapeError } from '../errors.ts'

/** @throws ShapeError unless all are whole numbers of `least` or more */
export function checkSizes(layer: string, sizes: Record<string, number>, least = 1): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (Number.isSafeInteger(size) && size >= least) continue
    throw new ShapeError(`${layer}: expected a whole number of ${least} or more for ${name} but received ${size}`)
  }
}
