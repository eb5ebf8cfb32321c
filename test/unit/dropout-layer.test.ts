/** The dropout layer: training and inference, its stream of random numbers, and runs that continue with it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { nn, ones } from '../../src/index.ts'
import { train, withDefaults } from '../../src/train/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'igcnet-dropout-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('drops in training only, differently at each step, the same again from the same step', () => {
  const x = ones([8, 50])
  const layer = new nn.Dropout({ rate: 0.5, seed: 3 })
  const [first, second] = [layer.forward(x).dataSync(), layer.forward(x).dataSync()]
  expect(new Set(first)).toEqual(new Set([0, 2]))
  expect(second).not.toEqual(first)
  expect(layer.step).toBe(2)
  layer.step = 0
  expect(layer.forward(x).dataSync()).toEqual(first)
  expect(new nn.Dropout({ rate: 0.5, seed: 4 }).forward(x).dataSync()).not.toEqual(first)
  expect(layer.eval().forward(x)).toBe(x)
  expect(new nn.Dropout({ rate: 0 }).forward(x)).toBe(x)
  expect(Object.keys(layer.state())).toEqual([])
})

it('goes on behind the end of its stream of random numbers, which begins again', () => {
  const layer = new nn.Dropout({ rate: 0.5 })
  const x = ones([8, 50])
  const first = layer.forward(x).dataSync()
  layer.step = 2 ** 25
  expect(layer.forward(x).dataSync()).toEqual(first)
})

it.each([-0.1, 1, Number.NaN])('refuses a rate of %d', rate => {
  expect(() => new nn.Dropout({ rate })).toThrow(
    `Dropout: expected a rate of 0 or more and below 1 but received ${rate}`,
  )
})

it('a run that is continued gives the bits of one that was not interrupted', { timeout: 60_000 }, async () => {
  const config = withDefaults({
    network: 'igcv2_mobilenet_0.25',
    ...{ dropout: 0.5, trainExamples: 32, testExamples: 16, batchSize: 8, threads: 1, lrSteps: [], numEpochs: 2 },
  })
  const whole = await train(config, { runDir: join(folder, 'whole') })
  const half = await train({ ...config, numEpochs: 1 }, { runDir: join(folder, 'half') })
  const rest = await train(config, { runDir: join(folder, 'half'), resume: join(folder, 'half') })
  expect(half.weightsSha256).not.toBe(whole.weightsSha256)
  expect(rest.weightsSha256).toBe(whole.weightsSha256)
  const dry = await train({ ...config, dropout: 0 }, { runDir: join(folder, 'dry') })
  expect(dry.weightsSha256).not.toBe(whole.weightsSha256)
})
