/** The base of all layers and networks: children, parameters, state by name. Checked in test/unit/module.test.ts. */
import { DataError, DisposedError, ShapeError } from '../errors.ts'
import type { Images } from '../ops/index.ts'
import type { Generator } from '../ops/random.ts'
import { scope } from '../scope.ts'
import {
  type DeviceChoice,
  type FloatDType,
  formatShape,
  type ParameterDType,
  type Shape,
  Tensor,
  tensor,
  untracked,
} from '../tensor.ts'

/** Where a layer's parameters live and where their first values come from. */
export interface ModuleOptions {
  /** Default: 'cpu'. */
  device?: DeviceChoice
  /** Default: f32. */
  dtype?: ParameterDType
  /** The source of initial values. Default: a new generator with seed 0. */
  generator?: Generator
}

/** Tensors by dotted name, such as `stages.0.1.primary.weight`. */
export type State = Record<string, Tensor>

/**
 * A layer or network. What it holds is found by looking at its properties: tensors that require a gradient are
 * parameters, other tensors are buffers, modules are children, all of them also in arrays and arrays of arrays; the names
 * of the properties make the names in the state. A tensor that is neither belongs into a #private property; results of
 * recorded ops are left out.
 */
export abstract class Module<In extends Tensor = Images, Out extends Tensor = Images> implements Disposable {
  /** Whether the layer is in training mode: batch norm uses the batch's statistics. Set by `train()` and `eval()`. */
  training = true

  abstract forward(x: In): Out

  /** Multiply-adds of one forward pass whose result has shape `y`: of this layer itself, without its children. */
  multiplyAdds?(y: Shape): number

  /** Direct children with their names. */
  namedChildren(): [string, Module<Tensor, Tensor>][] {
    return heldBy(this, Module<Tensor, Tensor>)
  }

  /** This module and all below it, with dotted names; its own name is ''. */
  *namedModules(prefix = ''): Iterable<[string, Module<Tensor, Tensor>]> {
    yield [prefix, this as unknown as Module<Tensor, Tensor>]
    for (const [name, child] of this.namedChildren()) yield* child.namedModules(prefix ? `${prefix}.${name}` : name)
  }

  /** All parameters and buffers by name: the tensors themselves, not copies. */
  state(): State {
    const state: State = {}
    for (const [prefix, module] of this.namedModules()) {
      for (const [name, value] of heldBy(module, Tensor)) {
        if (value.isLeaf) state[prefix ? `${prefix}.${name}` : name] = value
      }
    }
    return state
  }

  /** The parameters by name, in the order of `parameters()`; one that has several names by its first. */
  namedParameters(): [string, Tensor][] {
    const found = new Map<Tensor, string>()
    for (const [name, value] of Object.entries(this.state())) {
      if (value.requiresGrad && !found.has(value)) found.set(value, name)
    }
    return Array.from(found, ([value, name]) => [name, value])
  }

  /** What an optimiser trains. */
  parameters(): Tensor[] {
    return this.namedParameters().map(([, parameter]) => parameter)
  }

  /**
   * Overwrites parameters and buffers in place; every name must be there, with its shape, and no other. Tensors of
   * another device or dtype are converted.
   * @throws DataError for missing or unknown names, TypeError for what is no tensor, ShapeError, DisposedError; then nothing
   * was changed
   */
  loadState(source: State): void {
    const state = this.state()
    const missing = Object.keys(state).filter(name => !Object.hasOwn(source, name))
    const unknown = Object.keys(source).filter(name => !Object.hasOwn(state, name))
    if (missing.length + unknown.length > 0) {
      const list = (names: string[]) => names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '')
      throw new DataError(
        `loadState: expected the ${Object.keys(state).length} tensors of this network but received ` +
          `${missing.length} too few (${list(missing)}) and ${unknown.length} unknown (${list(unknown)})`,
      )
    }
    const pairs = Object.entries(state).map(([name, target]) => [name, target, source[name] as Tensor] as const)
    for (const [name, target, value] of pairs) {
      if (!(value instanceof Tensor)) {
        throw new TypeError(`loadState: expected a tensor for ${name} but received ${String(value)}`)
      }
      if (formatShape(target.shape) !== formatShape(value.shape)) {
        throw new ShapeError(
          `loadState: expected ${name} ${formatShape(target.shape)} but received ${formatShape(value.shape)}`,
        )
      }
      if (target.disposed || value.disposed) {
        throw new DisposedError(`loadState: expected live tensors for ${name} but received a disposed one`)
      }
    }
    using _converted = scope()
    const fitting = pairs.map(([, target, value]) => [target, likeTarget(target, value)] as const)
    for (const [target, value] of fitting) target.assign(value)
  }

  /** Switches this module and all below it to training mode (or back with `train(false)`). */
  train(mode = true): this {
    for (const [, module] of this.namedModules()) module.training = mode
    return this
  }

  /** Switches to inference mode: batch norm uses its running statistics. */
  eval(): this {
    return this.train(false)
  }

  /** Frees all parameters and buffers. */
  dispose(): void {
    for (const value of Object.values(this.state())) value.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}

/** What is of one kind among the properties of an object, with names, also in arrays. */
function heldBy<T>(holder: object, kind: abstract new (...args: never[]) => T): [string, T][] {
  const inside = (name: string, value: unknown): [string, T][] => {
    if (value instanceof kind) return [[name, value]]
    return Array.isArray(value) ? value.flatMap((item, i) => inside(`${name}.${i}`, item)) : []
  }
  return Object.entries(holder).flatMap(([name, value]) => inside(name, value))
}

/** The values in the target's dtype, on its device. */
function likeTarget({ shape, dtype, device }: Tensor, value: Tensor): Tensor {
  return value.device === device && value.dtype === dtype ? value : tensor(value.dataSync(), shape, { dtype, device })
}

/** Makes a tensor trainable and lets it outlive the active scope. */
export function parameter<S extends Shape, D extends FloatDType>(make: () => Tensor<S, D>): Tensor<S, D> {
  const made = untracked(make)
  made.requiresGrad = true
  return made
}
