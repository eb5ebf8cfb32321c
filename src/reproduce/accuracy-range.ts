/** The range of an axis of accuracies. Checked in test/reproduce/plots.test.ts. */

/** At least this many percent, so that a difference that means nothing does not look large. */
const LEAST = 2

/** Around the values, in percent, at least two wide and within 0 to 100; 0 to 100 without values. */
export function accuracyRange(values: readonly number[]): [number, number] {
  const finite = values.filter(Number.isFinite)
  if (finite.length === 0) return [0, 100]
  const [low, high] = [Math.min(...finite), Math.max(...finite)]
  const around = Math.max(0, LEAST - (high - low)) / 2
  const top = Math.min(100, Math.max(LEAST, high + around))
  return [Math.max(0, Math.min(low - around, top - LEAST)), top]
}
