/**
 * The tape: every recorded op is a node that knows its inputs and how to turn the gradient of its output into those of
 * its inputs; `backward` walks the nodes in reverse. Works on native handles alone; src/tensor.ts gives it tensors.
 * Checked by test/gradcheck (every op, finite differences) and test/unit/autograd*.test.ts.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { GradientForm, GradientSum, type ReluSum, SidesGradient } from './deferred.ts'
import { ChangedError, DisposedError, InternalError } from './errors.ts'
import { type NativeTensor, native } from './native.ts'

/** Where a gradient goes: a leaf keeps it, a node passes it on. */
export interface Leaf {
  /** Takes ownership of the gradient. */
  accumulate(gradient: NativeTensor): void
}

/** What is handed down the tape: the handle of a gradient, or a form of it that may spare a pass. */
export type Gradient = NativeTensor | GradientForm

/** What an op saved for its rule; undefined where no gradient that is asked for needs it. */
export type SavedTensors = readonly (NativeTensor | undefined)[]

/**
 * Gradients of the inputs, in order, from that of the output; `undefined` for an input whose `needs` is false.
 * The rule owns neither `dy` nor `saved`; everything that it returns is handed over. F: the form of `dy` that it takes
 * besides a handle. `sum`: the first input is the result of addRelu, and nobody else's gradient of it is to come; the rule
 * may return a SidesGradient for it.
 */
export type BackwardRule<F extends GradientForm = never> = (
  dy: NativeTensor | F,
  saved: SavedTensors,
  needs: readonly boolean[],
  sum?: ReluSum,
) => readonly (Gradient | undefined)[]

/** The class of a form of gradients. */
export type FormClass<F extends GradientForm> = abstract new (...args: never[]) => F

let created = 0

/** One recorded op. It lives as long as a tensor that is its result, or a later node, needs it. */
export class Node {
  /** Increases along the tape. */
  readonly id = created++
  readonly op: string
  inputs: readonly (Node | Leaf | undefined)[]
  #saved: SavedTensors | undefined
  /** Of each saved tensor, how often it had been updated in place. */
  readonly #updates: readonly (number | undefined)[]
  readonly #rule: BackwardRule<GradientForm>
  readonly #form: FormClass<GradientForm> | undefined
  /** Whether this is addRelu, which saved its result and then, where there is one, a side and its norm. */
  readonly isSum: boolean
  #users = 0

  /** @param form the form of gradients that the rule takes besides handles */
  constructor(
    op: string,
    inputs: Node['inputs'],
    saved: SavedTensors,
    rule: BackwardRule,
    form?: FormClass<GradientForm>,
    isSum = false,
  ) {
    this.op = op
    this.isSum = isSum
    this.inputs = inputs
    this.#saved = saved
    this.#updates = saved.map(handle => handle && native.tensorUpdates(handle))
    this.#rule = rule as BackwardRule<GradientForm> // which `taken` gives no other form
    this.#form = form
    for (const input of inputs) if (input instanceof Node) input.retain()
  }

  /** One user more: a tensor, or a node that has this one as an input. */
  retain(): void {
    this.#users++
  }

  /** One user less. What nothing can walk any more is freed, down the tape. */
  drop(): void {
    const dropped: Node[] = [this]
    for (const node of dropped) {
      if (--node.#users > 0) continue
      for (const input of node.inputs) if (input instanceof Node) dropped.push(input)
      node.release()
    }
  }

  /** The gradient as this node's rule takes it; handed over. */
  taken(gradient: Gradient): Gradient {
    return this.#form !== undefined && gradient instanceof this.#form ? gradient : carriedOut(gradient)
  }

  /** The sum of two gradients, as this node's rule takes it; takes ownership of both. */
  summed(a: Gradient, b: Gradient): Gradient {
    return this.taken(new GradientSum(carriedOut(a), carriedOut(b)))
  }

  /** The sum that this node's result is, beside the gradient of the result so far. */
  sum(more: NativeTensor): ReluSum {
    const [, side, sideNorm] = this.savedTensors()
    return { more, side, sideNorm }
  }

  run(dy: Gradient, sum?: ReluSum): readonly (Gradient | undefined)[] {
    const needs = this.inputs.map(input => input !== undefined)
    const gradients = this.#rule(dy, this.savedTensors(), needs, sum)
    if (gradients.length !== this.inputs.length || gradients.some((g, i) => (g !== undefined) !== needs[i])) {
      throw new InternalError(
        `${this.op}: expected gradients for inputs ${needs} but received ${gradients.map(g => g !== undefined)}`,
      )
    }
    return gradients
  }

  savedTensors(): SavedTensors {
    if (this.#saved === undefined) {
      throw new DisposedError(
        `backward: expected a graph that was not walked yet but the tensors saved by ${this.op} were freed by an earlier backward()`,
      )
    }
    return this.#saved
  }

  /** @throws ChangedError when a saved tensor no longer has the values that the op used */
  checkSaved(): void {
    for (const [i, handle] of this.savedTensors().entries()) {
      if (handle === undefined || native.tensorUpdates(handle) === this.#updates[i]) continue
      const { shape, dtype } = native.tensorInfo(handle)
      throw new ChangedError(
        `backward: expected the values that ${this.op} used but received a tensor [${shape.join(', ')}] ${dtype} that was changed in place since, by assign() or an optimiser's step`,
      )
    }
  }

  /** Frees what was saved for the backward direction and lets the inputs go. */
  release(): void {
    for (const handle of this.#saved ?? []) if (handle) native.tensorDispose(handle)
    this.#saved = undefined
    this.inputs = []
  }
}

/** The node of the op that made the values behind an edge; undefined: a leaf has them. reshape hands memory on. */
export function makerOf(edge: Node | Leaf | undefined): Node | undefined {
  let maker = edge
  while (maker instanceof Node && maker.op === 'reshape') maker = maker.inputs[0]
  return maker instanceof Node ? maker : undefined
}

const recording = new AsyncLocalStorage<boolean>()

/** Whether ops are recorded here: true unless inside `noGrad`. */
export function isRecording(): boolean {
  return recording.getStore() ?? true
}

/** @internal Runs `body`, synchronous or asynchronous, with recording, also inside of noGrad. */
export function enableGrad<T>(body: () => T): T {
  return recording.run(true, body)
}

/** Runs `body`, synchronous or asynchronous, without recording: nothing is saved, results need no gradient. */
export function noGrad<T>(body: () => T): T {
  return recording.run(false, body)
}

/** The nodes that `root` depends on, newest first. */
function tape(root: Node): Node[] {
  const found = new Set<Node>([root])
  for (const node of found) {
    node.checkSaved() // throws for a graph that was used up, too
    for (const input of node.inputs) if (input instanceof Node) found.add(input)
  }
  return [...found].sort((a, b) => b.id - a.id)
}

/** Walks the tape from `root`; takes ownership of `seed`, the gradient of its output. Frees the tape, also when it fails. */
export function backward(root: Node | Leaf, seed: NativeTensor): void {
  if (!(root instanceof Node)) {
    root.accumulate(seed)
    return
  }
  const pending = new Map<Node, Gradient>([[root, seed]])
  const users = new Map<Node, number>() // whose gradient is to come
  let nodes: readonly Node[] = []
  try {
    nodes = tape(root)
    for (const { inputs } of nodes) {
      for (const input of inputs) if (input instanceof Node) users.set(input, (users.get(input) ?? 0) + 1)
    }
    for (const node of nodes) {
      const dy = pending.get(node)
      if (dy === undefined) throw new InternalError(`backward: no gradient reached ${node.op}`)
      const gradients = node.run(dy, sumBelow(node, users, pending))
      pending.delete(node)
      free(dy)
      for (const [i, input] of node.inputs.entries()) {
        const gradient = gradients[i]
        if (input === undefined || gradient === undefined) continue
        if (input instanceof Node) {
          users.set(input, (users.get(input) ?? 0) - 1)
          const sum = pending.get(input)
          if (gradient instanceof SidesGradient) {
            pending.set(input, gradient)
            if (sum !== undefined) free(sum) // it is in there
          } else {
            pending.set(input, sum === undefined ? input.taken(gradient) : input.summed(sum, gradient))
          }
        } else {
          input.accumulate(carriedOut(gradient))
        }
      }
      node.release()
    }
  } finally {
    for (const node of nodes) node.release()
    for (const gradient of pending.values()) free(gradient)
  }
}

/** The sum that the node's first input is, when nobody else's gradient of it is to come. */
function sumBelow({ inputs: [first] }: Node, users: Map<Node, number>, pending: Map<Node, Gradient>) {
  if (!(first instanceof Node && first.isSum && users.get(first) === 1)) return undefined
  const more = pending.get(first)
  return more === undefined || more instanceof GradientForm ? undefined : first.sum(more)
}

/** The plain gradient; takes ownership of the form. */
function carriedOut(gradient: Gradient): NativeTensor {
  return gradient instanceof GradientForm ? gradient.carryOut() : gradient
}

function free(gradient: Gradient): void {
  if (gradient instanceof GradientForm) gradient.dispose()
  else native.tensorDispose(gradient)
}
