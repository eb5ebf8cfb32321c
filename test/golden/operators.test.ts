/**
 * Single operators, forward and backward, against PyTorch (operators.py, float64): every output at most 1e-12 of its
 * largest value away in f64, 1e-5 in f32.
 */
import { describe, expect, it } from 'vitest'
import { type NativeTensor, native, type TypedArray } from '../../src/native.ts'
import { distance, type GoldenArray, type OperatorCase, readOperators } from './golden-file.ts'

const CASES = readOperators()
const PLACES = [
  { device: 'reference', dtype: 'f64', tolerance: 1e-12 },
  { device: 'reference', dtype: 'f32', tolerance: 1e-5 },
  { device: process.env.IGCNET_TEST_DEVICE || 'cpu', dtype: 'f32', tolerance: 1e-5 },
]

type Handle = NativeTensor
type Get = (name: string) => Handle
/** The params of a case are those of the native function, as operators.py wrote them. */
// biome-ignore lint/suspicious/noExplicitAny: one type for the params of all operators
type Params = any
type Run = (get: Get, p: Params, shapeOf: (name: string) => readonly number[]) => Record<string, Handle>

/** How each operator is called: inputs by name to outputs by name. */
const RUN: Record<string, Run> = {
  conv2d: (get, p, shapeOf) => ({
    y: native.conv2dForward(get('x'), get('w'), p),
    dx: native.conv2dBackwardInput(get('dy'), get('w'), { ...p, shape: shapeOf('x') }),
    dw: native.conv2dBackwardWeight(get('dy'), get('x'), { ...p, shape: shapeOf('w') }),
  }),
  igcBlock: (get, p) => {
    const [x, primary, secondary, dy] = ['x', 'primary', 'secondary', 'dy'].map(get) as [Handle, Handle, Handle, Handle]
    const forward = { ...p, xRelu: false, needsStatistics: false, needsZ: false }
    const { y } = native.igcBlockForward(x, primary, secondary, forward)
    const needs = { needsInput: true, needsPrimary: true, needsSecondary: true }
    const backward = { ...p, ...needs, xRelu: false, yRelu: false, yTraining: false, overwriteDy: false }
    const d = native.igcBlockBackward(dy, x, primary, secondary, backward)
    return { y, dx: d.dx as Handle, dprimary: d.primary as Handle, dsecondary: d.secondary as Handle }
  },
  avgPool2d: (get, p, shapeOf) => ({
    y: native.avgPool2dForward(get('x'), p),
    dx: native.avgPool2dBackwardInput(get('dy'), { ...p, shape: shapeOf('x') }),
  }),
  maxPool2d: (get, p) => ({
    y: native.maxPool2dForward(get('x'), p),
    dx: native.maxPool2dBackwardInput(get('dy'), get('x'), p),
  }),
  globalAvgPool2d: (get, _, shapeOf) => ({
    y: native.globalAvgPool2dForward(get('x')),
    dx: native.globalAvgPool2dBackwardInput(get('dy'), { shape: shapeOf('x') }),
  }),
  batchNorm2d: (get, p) => {
    const [x, gamma, dy, runningMean, runningVar] = ['x', 'gamma', 'dy', 'runningMean', 'runningVar'].map(get) as [
      Handle,
      Handle,
      Handle,
      Handle,
      Handle,
    ]
    const given = native.batchNorm2dStatistics(x)
    const norm = native.batchNorm2dPrepare(x, gamma, get('beta'), runningMean, runningVar, p, given)
    const y = native.batchNorm2dApply(x, norm, { relu: false })
    const weights = native.batchNorm2dBackwardWeight(dy, x, norm, { relu: false })
    const backward = { relu: false, training: p.training }
    const dx = native.batchNorm2dBackwardInput(dy, x, norm, weights.gamma, weights.beta, backward)
    const statistics = { newRunningMean: runningMean, newRunningVar: runningVar }
    return { y, dx, dgamma: weights.gamma, dbeta: weights.beta, ...statistics }
  },
  relu: get => {
    const y = native.reluForward(get('x'))
    return { y, dx: native.reluBackwardInput(get('dy'), y) }
  },
  relu6: get => {
    const y = native.relu6Forward(get('x'))
    return { y, dx: native.relu6BackwardInput(get('dy'), y) }
  },
  linear: get => ({
    y: native.linearForward(get('x'), get('w'), get('b')),
    dx: native.linearBackwardInput(get('dy'), get('w')),
    dw: native.linearBackwardWeight(get('dy'), get('x')),
    db: native.linearBackwardBias(get('dy')),
  }),
  softmax: get => {
    const y = native.softmaxForward(get('x'))
    return { y, dx: native.softmaxBackwardInput(get('dy'), y) }
  },
  crossEntropy: (get, p) => {
    const { loss, probabilities } = native.crossEntropyForward(get('logits'), get('labels'), p)
    return { y: loss, dlogits: native.crossEntropyBackwardInput(get('dy'), probabilities, get('labels'), p) }
  },
  sgdStep: (get, p, shapeOf) => {
    const [gradients, w] = [native.tensorReadSync(get('gradients')), get('w')]
    const { dtype, device, shape } = native.tensorInfo(w)
    const v = native.tensorCreate({ device, dtype, shape })
    native.fill(v, { value: 0 })
    const [steps, size] = shapeOf('gradients') as [number, number]
    for (let step = 0; step < steps; step++) {
      const gradient = gradients.slice(step * size, (step + 1) * size) as TypedArray
      native.sgdStep([native.tensorCreate({ device, dtype, shape }, gradient)], [w], [v], p)
    }
    return { w }
  },
  reorder: (get, p) => ({ y: native.reorderForward(get('x'), p) }),
}

function run({ op, params, inputs }: OperatorCase, device: string, dtype: string): Record<string, Handle> {
  const create = ({ shape, values }: GoldenArray, name: string) => {
    if (name === 'labels') return native.tensorCreate({ device, dtype: 'i32', shape }, Int32Array.from(values))
    return native.tensorCreate({ device, dtype, shape }, dtype === 'f32' ? new Float32Array(values) : values)
  }
  const handles = new Map([...inputs].map(([name, array]) => [name, create(array, name)]))
  const call = RUN[op]
  if (call === undefined) throw new Error(`no such operator: ${op}`)
  return call(
    name => handles.get(name) as Handle,
    params,
    name => (inputs.get(name) as GoldenArray).shape,
  )
}

describe.each(PLACES)('on $device in $dtype, within $tolerance', ({ device, dtype, tolerance }) => {
  it.each(CASES.map(entry => [entry.op, JSON.stringify(entry.params), entry] as const))(
    '%s %s',
    (_op, _params, entry) => {
      const outputs = run(entry, device, dtype)
      expect(Object.keys(outputs).sort()).toEqual([...entry.outputs.keys()].sort())
      for (const [name, { shape, values }] of entry.outputs) {
        const output = outputs[name] as Handle
        expect(native.tensorInfo(output).shape, name).toEqual(shape)
        expect(distance(native.tensorReadSync(output), values), name).toBeLessThanOrEqual(tolerance)
      }
    },
  )
})

it('covers every operator', () => {
  expect([...new Set(CASES.map(({ op }) => op))].sort()).toEqual(Object.keys(RUN).sort())
})
