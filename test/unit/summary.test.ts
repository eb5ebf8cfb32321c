/** The table of layers: what runs, in which order, with which shapes. Totals of whole networks: counts.test.ts. */
import { afterEach, expect, test } from 'vitest'
import { memory } from '../../src/device.ts'
import { create, type Network } from '../../src/models/index.ts'
import { summarize } from '../../src/train/summary.ts'

let net: Network
afterEach(() => net.dispose())

test('one row for each layer of a small network, in the order of the forward pass', () => {
  net = create('plain_igc', { depth: 5, primaryPartitions: 2, secondaryPartitions: 2, classes: 10 })
  const { rows } = summarize(net)
  expect(
    rows.map(({ name, type, output, parameters, multiplyAdds }) => [
      name,
      type,
      output.join('x'),
      parameters,
      multiplyAdds,
    ]),
  ).toEqual([
    ['stem.conv', 'Conv2d', '1x32x32x4', 108, 110_592],
    ['stem.bn', 'BatchNorm2d', '1x32x32x4', 8, 0],
    ['stages.0.0', 'IgcBlock', '1x32x32x4', 4 * 9 * 2 + 4 * 2, 32 * 32 * 80],
    ['stages.0.0.bn', 'BatchNorm2d', '1x32x32x4', 8, 0],
    ['stages.1.0', 'IgcBlock', '1x16x16x8', 8 * 9 * 2 + 8 * 2, 16 * 16 * 160],
    ['stages.1.0.bn', 'BatchNorm2d', '1x16x16x8', 16, 0],
    ['stages.2.0', 'IgcBlock', '1x8x8x16', 16 * 9 * 4 + 16 * 2, 8 * 8 * 608],
    ['stages.2.0.bn', 'BatchNorm2d', '1x8x8x16', 32, 0],
    ['pool', 'GlobalAvgPool2d', '1x16', 0, 0],
    ['head', 'Linear', '1x10', 170, 160],
  ])
})

test('rows add up to the totals', () => {
  net = create('resnet_igc', { depth: 8, primaryPartitions: 4, secondaryPartitions: 2 })
  const { rows, parameters, macs } = summarize(net)
  expect(rows.reduce((sum, row) => sum + row.parameters, 0)).toBe(parameters)
  expect(rows.reduce((sum, row) => sum + row.multiplyAdds, 0)).toBe(macs)
  expect(rows.map(row => row.name)).toContain('stages.1.0.shortcut.conv')
})

test('another size of image', () => {
  net = create('plain', { depth: 5, primaryPartitions: 2, secondaryPartitions: 2 })
  expect(summarize(net, [2, 16, 16, 3]).rows.at(0)).toMatchObject({
    output: [2, 16, 16, 4],
    multiplyAdds: 2 * 256 * 108,
  })
})

test('nothing of the network changes and nothing stays in memory', async () => {
  net = create('plain_igc', { depth: 5, primaryPartitions: 2, secondaryPartitions: 2 })
  net.train()
  const before = await Promise.all(Object.values(net.state()).map(value => value.data()))
  const names = [...net.namedModules()].map(([, module]) => Object.keys(module))
  const { allocations } = memory()
  summarize(net)
  expect(memory().allocations).toBe(allocations)
  expect(net.training).toBe(true)
  expect([...net.namedModules()].map(([, module]) => Object.keys(module))).toEqual(names)
  expect(await Promise.all(Object.values(net.state()).map(value => value.data()))).toEqual(before)
})
