/**
 * Random numbers for shuffles and augmentation: Philox4x32-10, a counter-based generator (Salmon et al., SC 2011).
 * A draw is a pure function of (seed, purpose, epoch, index): it depends on no earlier draw, so batches can be
 * prepared in any order and in the middle of an epoch. Checked against the Random123 test vectors in
 * test/unit/data-random.test.ts.
 */

/** What a draw is for: draws of different purposes never share a counter. */
export const PURPOSE_SHUFFLE = 1
export const PURPOSE_AUGMENT = 2

/** Epochs are counted from 0 and stay below this. */
export const MAX_EPOCH = 2 ** 24

const ROUNDS = 10
const TWO_32 = 2 ** 32

/** The high 32 bits of the 64-bit product of two unsigned 32-bit integers. */
function mulHigh(a: number, b: number): number {
  const aHigh = a >>> 16
  const aLow = a & 0xffff
  const bHigh = b >>> 16
  const bLow = b & 0xffff
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const middleLow = aLow * bHigh + (middle & 0xffff)
  // Products and sums stay below 2^32: exact in double precision.
  return (aHigh * bHigh + (middle >>> 16) + (middleLow >>> 16)) >>> 0
}

/** Four 32-bit words, as a counter or as a result. */
export type Words = readonly [number, number, number, number]

/** One block of Philox4x32-10: 128 bits from a 128-bit counter and a 64-bit key, all as unsigned 32-bit words. */
export function philox4x32(counter: Words, key: readonly [number, number]): Words {
  let [c0, c1, c2, c3] = counter
  let [k0, k1] = key
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = mulHigh(0xd2511f53, c0)
    const low0 = Math.imul(0xd2511f53, c0) >>> 0
    const high1 = mulHigh(0xcd9e8d57, c2)
    const low1 = Math.imul(0xcd9e8d57, c2) >>> 0
    c0 = (high1 ^ c1 ^ k0) >>> 0
    c1 = low1
    c2 = (high0 ^ c3 ^ k1) >>> 0
    c3 = low0
    k0 = (k0 + 0x9e3779b9) >>> 0
    k1 = (k1 + 0xbb67ae85) >>> 0
  }
  return [c0, c1, c2, c3]
}

/**
 * The four random words of one (purpose, epoch, index). The epoch is below MAX_EPOCH and shares its word with the
 * purpose, which is at least 1: so these counters never meet those of the native generator, whose words 2 and 3 are 0.
 */
export function draw(seed: number, purpose: number, epoch: number, index: number): Words {
  const key = [seed % TWO_32, Math.floor(seed / TWO_32)] as const
  return philox4x32([index, 0, epoch * 256 + purpose, 0], key)
}

/** An integer in [0, n) from one random word; n is far below 2^32, so the bias (at most n / 2^32) is negligible. */
export function below(word: number, n: number): number {
  return Math.floor((word / TWO_32) * n)
}

/** The order of the examples in an epoch: a permutation of 0 .. count-1 (Fisher-Yates), fixed by seed and epoch. */
export function shuffledOrder(count: number, seed: number, epoch: number): Uint32Array {
  const order = new Uint32Array(count)
  for (let i = 0; i < count; i++) order[i] = i
  let words: Words = [0, 0, 0, 0]
  for (let step = 0; step < count - 1; step++) {
    if (step % 4 === 0) words = draw(seed, PURPOSE_SHUFFLE, epoch, step / 4)
    const last = count - 1 - step
    const other = below(words[step % 4] as number, last + 1)
    const swapped = order[last] as number
    order[last] = order[other] as number
    order[other] = swapped
  }
  return order
}
