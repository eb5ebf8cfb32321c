/** Top-k accuracy: hand-made rows, ties, NaN, and a comparison with sorting. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { countTopK, percent } from '../../src/train/metrics.ts'

const count = (logits: number[][], labels: number[], k: number) =>
  countTopK(Float32Array.from(logits.flat()), Int32Array.from(labels), { classes: logits[0]?.length ?? 0, k })

test('a label counts when it is among the k largest', () => {
  const row = [0.1, 0.5, 0.3, 0.2]
  expect([1, 2, 3, 4].map(k => count([row], [2], k))).toEqual([0, 1, 1, 1])
  expect([1, 2, 3, 4].map(k => count([row], [0], k))).toEqual([0, 0, 0, 1])
  expect(count([row, row, row], [1, 1, 0], 1)).toBe(2)
})

test('equal logits rank in the order of the classes', () => {
  const row = [1, 2, 2, 2]
  expect([1, 2, 3].map(label => count([row], [label], 1))).toEqual([1, 0, 0])
  expect([1, 2, 3].map(label => count([row], [label], 2))).toEqual([1, 1, 0])
})

test('NaN ranks above every number and is never right', () => {
  const row = [0, Number.NaN, 5, 1]
  expect(count([row], [1], 1)).toBe(0)
  expect(count([row], [1], 3)).toBe(0)
  expect(count([row], [2], 1)).toBe(0)
  expect(count([row], [2], 2)).toBe(1)
})

test('more places than classes: always right', () => {
  expect(count([[3, 1]], [1], 5)).toBe(1)
})

test('agrees with sorting', () => {
  const row = fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 6, maxLength: 6 })
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 8 }), fc.infiniteStream(fc.nat(5)), (logits, stream) => {
      const labels = logits.map(() => stream.next().value as number)
      for (const k of [1, 3, 5]) {
        const expected = logits.filter((values, n) => {
          const order = values.map((_, c) => c).sort((a, b) => (values[b] as number) - (values[a] as number))
          return order.slice(0, k).includes(labels[n] as number)
        })
        expect(count(logits, labels, k)).toBe(expected.length)
      }
    }),
  )
})

test('percent', () => {
  expect(percent(1, 8)).toBe(12.5)
  expect(percent(0, 0)).toBeNaN()
})
