/**
 * Five small networks against their PyTorch twins (generate.py, float64): logits, loss, every gradient, running
 * statistics, inference, and ten optimizer steps. The distance of two tensors is the largest absolute difference over
 * the largest absolute value of PyTorch's, tensor by tensor: at most 1e-9 in f64, 1e-4 in f32.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import {
  type DeviceName,
  models,
  nn,
  noGrad,
  optim,
  type ParameterDType,
  scope,
  type Tensor,
  tensor,
} from '../../src/index.ts'
import { at, distance, type GoldenArray, type GoldenNetwork, type GoldenState, readNetwork } from './golden-file.ts'

const FILES = ['plain', 'plain-igc', 'resnet', 'resnet-igc', 'resnet-igc-consistent']
const PLACES: { device: DeviceName; dtype: ParameterDType; tolerance: number }[] = [
  { device: 'reference', dtype: 'f64', tolerance: 1e-9 },
  { device: 'reference', dtype: 'f32', tolerance: 1e-4 },
  { device: (process.env.IGCNET_TEST_DEVICE || 'cpu') as DeviceName, dtype: 'f32', tolerance: 1e-4 },
]

type Place = { device: DeviceName; dtype: ParameterDType }
/** Copied values by name; those that have no names of their own are called 'logits' and the like. */
type Values = Map<string, ArrayLike<number>>

function build({ network, options }: GoldenNetwork, place: Place): models.Network {
  const { depth, classes, width = 0, primaryPartitions = 0, secondaryPartitions = 0, quirk } = options
  const regular = { depth, classes, width, ...place }
  const igc = { depth, classes, primaryPartitions, secondaryPartitions, ...place }
  if (network === 'plain') return models.plain(regular)
  if (network === 'resnet') return models.resnet(regular)
  return network === 'plain_igc' ? models.plainIgc(igc) : models.resnetIgc({ ...igc, consistent: quirk === false })
}

/** Copies of the tensors' values, named. */
function copy(named: Iterable<readonly [string, Tensor]>): Values {
  return new Map([...named].map(([name, t]) => [name, t.dataSync()]))
}

function golden(arrays: GoldenState | Record<string, GoldenArray>): Values {
  const entries = arrays instanceof Map ? [...arrays] : Object.entries(arrays)
  return new Map(entries.map(([name, { values }]) => [name, values]))
}

/** The same names, and every tensor within the tolerance; the error lists those that are not. */
function expectNear(actual: Values, expected: Values, tolerance: number) {
  expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort())
  const far: string[] = []
  for (const [name, values] of expected) {
    const away = distance(actual.get(name) as ArrayLike<number>, values)
    if (!(away <= tolerance)) far.push(`${name}: expected a distance of at most ${tolerance} but received ${away}`)
  }
  if (far.length > 0) throw new Error(far.join('\n'))
}

interface Trained {
  firstLogits: Values
  gradients: Values
  statistics: Values
  inference: Values
  losses: Values
  finalState: Values
  finalInference: Values
}

function load(net: models.Network, initial: GoldenState, place: Place) {
  const state: nn.State = {}
  for (const [name, { shape, values }] of initial) state[name] = tensor(values, shape, place)
  net.loadState(state)
}

/** Does what `train` in generate.py does. */
function train(file: GoldenNetwork, place: Place): Trained {
  using _all = scope()
  const net = build(file, place)
  load(net, file.initialState, place)
  const sgd = optim.sgd(net.parameters(), file.sgd)
  const batch = (step: number) => {
    const { shape, values } = at(file.images, step)
    return tensor(values, shape as [number, number, number, number], place)
  }
  const infer = () => {
    net.eval()
    return copy([['logits', noGrad(() => net.forward(batch(0)))]])
  }
  const out: Partial<Trained> = {}
  const losses: number[] = []
  for (let step = 0; step < file.losses.values.length; step++) {
    using _step = scope()
    net.train()
    const logits = net.forward(batch(step))
    const { shape, values } = at(file.labels, step)
    const labels = tensor(Int32Array.from(values), shape as [number], { device: place.device })
    const loss = nn.crossEntropy(logits, labels)
    loss.backward()
    losses.push(loss.dataSync()[0] as number)
    if (step === 0) {
      out.firstLogits = copy([['logits', logits]])
      out.gradients = copy(net.namedParameters().map(([name, p]) => [name, p.grad as Tensor]))
      out.statistics = copy(Object.entries(net.state()).filter(([name]) => name.includes('running')))
      out.inference = infer()
    }
    sgd.step()
  }
  out.losses = new Map(losses.map((loss, step) => [`step ${step}`, [loss]]))
  out.finalState = copy(Object.entries(net.state()))
  out.finalInference = infer()
  sgd.dispose()
  net.dispose()
  return out as Trained
}

describe.each(FILES)('%s', name => {
  const file = readNetwork(name)

  describe.each(PLACES)('on $device in $dtype, within $tolerance', ({ device, dtype, tolerance }) => {
    let trained: Trained
    beforeAll(() => {
      trained = train(file, { device, dtype })
    })

    it('has the shapes of the twin', () => {
      const net = build(file, { device, dtype })
      const shapes = Object.fromEntries(Object.entries(net.state()).map(([key, t]) => [key, [...t.shape]]))
      expect(shapes).toEqual(Object.fromEntries([...file.initialState].map(([key, { shape }]) => [key, shape])))
      expect(
        net
          .namedParameters()
          .map(([key]) => key)
          .sort(),
      ).toEqual([...file.gradients.keys()].sort())
      net.dispose()
    })

    it('logits', () => expectNear(trained.firstLogits, golden({ logits: file.logits }), tolerance))

    it('every gradient', () => expectNear(trained.gradients, golden(file.gradients), tolerance))

    it('running statistics', () => expectNear(trained.statistics, golden(file.runningStatistics), tolerance))

    it('inference', () => expectNear(trained.inference, golden({ logits: file.inferenceLogits }), tolerance))

    it('the losses of ten steps', () => {
      const losses = [...file.losses.values].map((loss, step) => [`step ${step}`, [loss]] as const)
      expectNear(trained.losses, new Map(losses), tolerance)
    })

    it('parameters and statistics after ten steps', () => {
      expectNear(trained.finalState, golden(file.finalState), tolerance)
    })

    it('inference after ten steps', () => {
      expectNear(trained.finalInference, golden({ logits: file.finalInferenceLogits }), tolerance)
    })
  })

  it('ten steps move every parameter', () => {
    // Else the comparison of the final state would prove nothing about the optimizer.
    for (const key of file.gradients.keys()) {
      const [before, after] = [file.initialState.get(key), file.finalState.get(key)] as [GoldenArray, GoldenArray]
      expect(distance(before.values, after.values), key).toBeGreaterThan(1e-2)
    }
  })
})
