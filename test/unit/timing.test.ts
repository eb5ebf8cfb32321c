/** Timing: what is repeated how often, and the numbers that come out of it. */
import { setTimeout } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { spread, timeRepetitions } from '../../src/train/timing.ts'

it('gives the median and the quartiles', () => {
  const expected = { median: 3, lowerQuartile: 2, upperQuartile: 4, least: 1, samples: 5 }
  expect(spread([5, 1, 4, 2, 3])).toEqual(expected)
  expect(spread([1, 2])).toMatchObject({ median: 1.5, lowerQuartile: 1.25, upperQuartile: 1.75, least: 1 })
  expect(spread([7])).toMatchObject({ median: 7, lowerQuartile: 7, upperQuartile: 7, samples: 1 })
})

it('warms up, then takes as many samples as asked for, each as long as asked for', async () => {
  const counts: number[] = []
  const repeat = async (count: number) => {
    counts.push(count)
    for (let i = 0; i < count; i++) await setTimeout(5)
  }
  const timing = await timeRepetitions(repeat, { samples: 4, sampleMs: 12 })
  expect(timing.samples).toBe(4)
  expect(timing.repetitions).toBeGreaterThanOrEqual(1)
  expect(timing.repetitions).toBeLessThanOrEqual(3)
  expect(counts.slice(-4)).toEqual(Array(4).fill(timing.repetitions))
  expect(counts.length).toBeGreaterThanOrEqual(4 + 2)
  expect(timing.median).toBeGreaterThan(4)
})

it('lets an error through', async () => {
  const failing = () => Promise.reject(new Error('broken'))
  await expect(timeRepetitions(failing)).rejects.toThrow('broken')
})
