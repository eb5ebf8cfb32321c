/** Learning rates at chosen positions, also between epochs and beyond the end. */
import { describe, expect, it } from 'vitest'
import { optim } from '../../src/index.ts'

const at = (schedule: optim.Schedule, epochs: number[]) => epochs.map(schedule)
const expectRates = (received: number[], expected: number[]) => {
  expect(received).toHaveLength(expected.length)
  expected.forEach((rate, i) => {
    expect(received[i]).toBeCloseTo(rate, 12)
  })
}

describe('multiStep', () => {
  it('is the authors’ schedule: a tenth at 200, 300 and 350', () => {
    const schedule = optim.multiStep({ lr: 0.1, steps: [200, 300, 350] })
    expectRates(
      at(schedule, [0, 199.99, 200, 299, 300, 349.5, 350, 400]),
      [0.1, 0.1, 0.01, 0.01, 0.001, 0.001, 0.0001, 0.0001],
    )
  })

  it('takes another factor, and steps in any order', () => {
    const schedule = optim.multiStep({ lr: 8, steps: [3, 1], factor: 0.5 })
    expectRates(at(schedule, [0, 1, 2.5, 3, 9]), [8, 4, 4, 2, 2])
    expectRates(at(optim.multiStep({ lr: 8, steps: [] }), [0, 100]), [8, 8])
    expectRates(at(optim.multiStep({ lr: 8, steps: [2], factor: 0 }), [1, 2]), [8, 0])
  })

  it('warms up to the rate that it would have had', () => {
    const schedule = optim.multiStep({ lr: 1, steps: [2], warmupEpochs: 4 })
    expectRates(at(schedule, [0, 1, 1.5, 2, 3, 4, 5]), [0, 0.25, 0.375, 0.05, 0.075, 0.1, 0.1])
  })
})

describe('cosine', () => {
  it('goes from lr to 0, half way in the middle', () => {
    const schedule = optim.cosine({ lr: 0.4, epochs: 10 })
    expectRates(at(schedule, [0, 10 / 3, 5, 20 / 3, 10, 12]), [0.4, 0.3, 0.2, 0.1, 0, 0])
  })

  it('goes to minLr', () => {
    const schedule = optim.cosine({ lr: 0.5, epochs: 4, minLr: 0.1 })
    expectRates(at(schedule, [0, 2, 4, 100]), [0.5, 0.3, 0.1, 0.1])
  })

  it('warms up to the rate that it would have had', () => {
    const schedule = optim.cosine({ lr: 1, epochs: 6, warmupEpochs: 3 })
    expectRates(at(schedule, [0, 2, 3, 6]), [0, (2 / 3) * 0.75, 0.5, 0])
  })
})

it('takes a position below 0 for 0', () => {
  expectRates(at(optim.multiStep({ lr: 0.1, steps: [5] }), [-1, -0.5]), [0.1, 0.1])
  expectRates(at(optim.cosine({ lr: 0.1, epochs: 5 }), [-1, -0.5]), [0.1, 0.1])
  expectRates(at(optim.cosine({ lr: 0.1, epochs: 5, warmupEpochs: 2 }), [-1]), [0])
})

describe('numbers that make no sense', () => {
  it.each([
    [() => optim.multiStep({ lr: -1, steps: [] }), 'multiStep: expected a number of 0 or more for lr but received -1'],
    [
      () => optim.multiStep({ lr: 1, steps: [3, Number.NaN] }),
      'multiStep: expected a number of 0 or more for steps[1] but received NaN',
    ],
    [
      () => optim.multiStep({ lr: 1, steps: [], factor: -0.1 }),
      'multiStep: expected a number of 0 or more for factor but received -0.1',
    ],
    [() => optim.cosine({ lr: 1, epochs: 0 }), 'cosine: expected more than 0 epochs but received 0'],
    [
      () => optim.cosine({ lr: 1, epochs: Number.NaN }),
      'cosine: expected a number of 0 or more for epochs but received NaN',
    ],
    [
      () => optim.cosine({ lr: 1, epochs: 1, warmupEpochs: -1 }),
      'cosine: expected a number of 0 or more for warmupEpochs but received -1',
    ],
  ])('%s', (make, message) => {
    expect(make).toThrow(new RangeError(message))
  })
})
