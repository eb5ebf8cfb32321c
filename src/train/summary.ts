/**
 * What a network is made of: the layers with their results' shapes, parameters and multiply-adds, as they run. Checked
 * against the papers' tables in test/unit/counts.test.ts.
 */
import { enableGrad } from '../autograd.ts'
import type { Network } from '../models/index.ts'
import { AvgPool2d, BatchNorm2d, GlobalAvgPool2d, Linear, MaxPool2d, type Module } from '../nn/index.ts'
import { scope } from '../scope.ts'
import { type Shape, Tensor, zeros } from '../tensor.ts'
import { inMode } from './mode.ts'

/** One layer. */
export interface SummaryRow {
  /** As in the names of the state: `stages.0.1.bn`. */
  name: string
  /** The class: Conv2d, IgcBlock, BatchNorm2d, … An IgcBlock's row is its two convolutions. */
  type: string
  /** The shape of its result. */
  output: Shape
  parameters: number
  multiplyAdds: number
}

/** The layers of a network, and their totals. */
export interface Summary {
  /** In the order in which the layers run. */
  rows: SummaryRow[]
  /** All trained values; running statistics are none. */
  parameters: number
  convParameters: number
  bnParameters: number
  linearParameters: number
  /** Multiply-adds of one forward pass: convolutions and linear layers. */
  macs: number
}

// biome-ignore lint/suspicious/noExplicitAny: layers of any input and output
type AnyModule = Module<any, any>

function isLayer(module: AnyModule): boolean {
  const others = [BatchNorm2d, AvgPool2d, MaxPool2d, GlobalAvgPool2d]
  return module.multiplyAdds !== undefined || others.some(type => module instanceof type)
}

function ownParameters(module: AnyModule): Tensor[] {
  return Object.values(module).filter(value => value instanceof Tensor && value.requiresGrad)
}

/** Parameters of a layer and of what is below it, without those of layers that run, and are counted, themselves. */
function countParameters(module: AnyModule, ran: ReadonlySet<AnyModule>): number {
  const own = ownParameters(module).reduce((sum, { size }) => sum + size, 0)
  const below = module.namedChildren().filter(([, child]) => !ran.has(child))
  return below.reduce((sum, [, child]) => sum + countParameters(child, ran), own)
}

/** Runs `body` while the forward pass of every layer tells the shape of its result; in the order of the calls. */
function observe(layers: readonly AnyModule[], body: () => void): Map<AnyModule, Shape> {
  const outputs = new Map<AnyModule, Shape>()
  for (const layer of layers) {
    const forward: (x: Tensor, ...rest: unknown[]) => Tensor = layer.forward.bind(layer)
    layer.forward = (x: Tensor, ...rest: unknown[]) => {
      outputs.set(layer, [])
      const y = forward(x, ...rest)
      outputs.set(layer, y.shape)
      return y
    }
  }
  try {
    body()
  } finally {
    for (const layer of layers) Reflect.deleteProperty(layer, 'forward') // the class's method is seen again
  }
  return outputs
}

/**
 * Runs a network once, in inference mode on zeros, and counts.
 * @param inputShape [N, H, W, C]. Default: one image 32x32 with three channels.
 */
export function summarize(
  net: Network,
  inputShape: readonly [number, number, number, number] = [1, 32, 32, 3],
): Summary {
  using _inner = scope()
  const named = [...net.namedModules()]
  const { device = 'cpu', dtype = 'f32' } = net.parameters()[0] ?? {}
  const layers = named.map(([, module]) => module).filter(isLayer)
  const outputs = observe(layers, () => {
    // With a tape: without one, a norm may be part of its convolution and does not run itself.
    const run = () => net.forward(zeros(inputShape, { device, dtype: dtype as 'f32' }))
    enableGrad(() => inMode(net, 'inference', run))
  })
  const names = new Map(named.map(([name, module]) => [module as AnyModule, name]))
  const ran = new Set(outputs.keys())
  const counted = [...outputs].map(([layer, output]) => {
    const row: SummaryRow = {
      name: names.get(layer) ?? '',
      type: layer.constructor.name,
      output,
      parameters: countParameters(layer, ran),
      multiplyAdds: layer.multiplyAdds?.(output) ?? 0,
    }
    return { layer, row }
  })
  const total = (belongs: (layer: AnyModule) => boolean) =>
    counted.reduce((sum, { layer, row }) => sum + (belongs(layer) ? row.parameters : 0), 0)
  const isBn = (layer: AnyModule) => layer instanceof BatchNorm2d
  const isLinear = (layer: AnyModule) => layer instanceof Linear
  return {
    rows: counted.map(({ row }) => row),
    parameters: net.parameters().reduce((sum, { size }) => sum + size, 0),
    convParameters: total(layer => !isBn(layer) && !isLinear(layer)),
    bnParameters: total(isBn),
    linearParameters: total(isLinear),
    macs: counted.reduce((sum, { row }) => sum + row.multiplyAdds, 0),
  }
}
