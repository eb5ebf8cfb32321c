/** Layers one after the other. Checked in test/unit/module.test.ts. */
import type { Tensor } from '../tensor.ts'
import { Module } from './module.ts'

/** Applies its layers in order; what they make in between is freed when the next layer has used it. */
export class Sequential<In extends Tensor = Tensor, Out extends Tensor = Tensor> extends Module<In, Out> {
  // biome-ignore lint/suspicious/noExplicitAny: the types between layers meet at run time
  readonly layers: readonly Module<any, any>[]

  // biome-ignore lint/suspicious/noExplicitAny: as above
  constructor(...layers: Module<any, any>[]) {
    super()
    this.layers = layers
  }

  /** The names in the state are the positions: `0.weight`, not `layers.0.weight`. What else a subclass holds comes behind. */
  override namedChildren(): [string, Module<Tensor, Tensor>][] {
    const within = new Set(this.layers.flatMap(layer => Array.from(layer.namedModules(), ([, module]) => module)))
    const others = super.namedChildren().filter(([, child]) => !within.has(child))
    return [...this.layers.map((layer, i): [string, Module] => [String(i), layer]), ...others]
  }

  forward(x: In): Out {
    return forwardAll(this.layers, x) as Out
  }
}

/** Runs layers in order; only the last result stays alive (the tape has its own share of what it needs). */
// biome-ignore lint/suspicious/noExplicitAny: the types between layers meet at run time
export function forwardAll(layers: readonly Module<any, any>[], x: Tensor): Tensor {
  let result = x
  for (const layer of layers) {
    const next: Tensor = layer.forward(result)
    if (result !== x && result !== next) result.dispose()
    result = next
  }
  return result
}
