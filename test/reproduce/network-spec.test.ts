/** Networks in one word: what is read, what is written, and the literal text of what is refused. */
import { expect, test } from 'vitest'
import type { NetworkName, NetworkSizes } from '../../src/models/index.ts'
import { networkNames, networkTitle } from '../../src/models/table.ts'
import { networkConfig, networkId, parseNetwork } from '../../src/reproduce/network-spec.ts'
import { withDefaults } from '../../src/train/index.ts'

test.each<[string, NetworkName, Partial<NetworkSizes>, string]>([
  ['plain', 'plain', {}, 'plain-W48-d20'],
  ['plain-W16-d38', 'plain', { primaryPartitions: 16, secondaryPartitions: 1, depth: 38 }, 'plain-W16-d38'],
  ['plain_igc-d8', 'plain_igc', { depth: 8 }, 'plain_igc-L24M2-d8'],
  [
    'resnet_igc-consistent-L4M8-d20',
    'resnet_igc',
    { consistent: true, primaryPartitions: 4, secondaryPartitions: 8, depth: 20 },
    'resnet_igc-L4M8-consistent-d20',
  ],
  ['resnet_imgnet_d18-W32', 'resnet_imgnet_d18', { primaryPartitions: 32 }, 'resnet_imgnet_d18-W32-d18'],
  ['xception-W24', 'xception', { width: 24 }, 'xception-W24-d20'],
  ['igcv2-W64-K4-d8', 'igcv2', { width: 64, groupChannels: 4, depth: 8 }, 'igcv2-W64-K4-d8'],
  ['igcv2_mobilenet_0.25', 'igcv2_mobilenet_0.25', {}, 'igcv2_mobilenet_0.25'],
  ['igcv3_d-x0.5', 'igcv3_d', { multiplier: 0.5 }, 'igcv3_d-x0.5'],
])('%s', (word, network, sizes, id) => {
  expect(parseNetwork(word)).toEqual({ network, sizes })
  expect(networkId(parseNetwork(word))).toBe(id)
  expect(networkId(parseNetwork(id))).toBe(id)
})

test('every network has a word of its own, which reads as the network itself', () => {
  const ids = networkNames.map(network => networkId({ network, sizes: {} }))
  expect(new Set(ids).size).toBe(networkNames.length)
  for (const [i, id] of ids.entries()) {
    const { network, sizes } = parseNetwork(id)
    expect(network).toBe(networkNames[i])
    expect(networkTitle(network, sizes)).toBe(networkTitle(network)) // regular networks have L M for L, M
    expect(withDefaults(networkConfig({ network, sizes })).network).toBe(network)
  }
})

const form =
  'networks: expected a name, then of -L24M2, -W16, -K8, -x0.5, -consistent and -d20 those sizes that the network takes, such as plain_igc-L24M2-d20, but received'

test.each([
  ['plain-L24M2', `${form} "plain-L24M2"`],
  ['plain_igc-W16', `${form} "plain_igc-W16"`],
  ['plain-d8-d20', `${form} "plain-d8-d20"`],
  ['plain-W16-', `${form} "plain-W16-"`],
  ['plain-D8', `${form} "plain-D8"`],
  ['plain-d8x', `${form} "plain-d8x"`],
  ['xception-K8', `${form} "xception-K8"`],
  ['igcv3_d-d20', `${form} "igcv3_d-d20"`],
  ['plain_igc-consistent', `${form} "plain_igc-consistent"`],
])('refuses %s', (word, message) => {
  expect(() => parseNetwork(word)).toThrow(new RangeError(message))
})

test('an unknown name lists what there is', () => {
  expect(() => parseNetwork('plian-W16')).toThrow(
    /^networks: expected one of plain, plain_igc, .* but received "plian"$/,
  )
  expect(() => parseNetwork('constructor')).toThrow('but received "constructor"')
})
