/**
 * Scopes: deterministic memory. Every tensor made while a scope is active is disposed of when the scope ends,
 * unless it was kept. Checked in test/unit/scope.test.ts.
 */
import { AsyncLocalStorage } from 'node:async_hooks'

/** What a scope can own. */
export interface Owned {
  /** Set by the scope. */
  owner: Scope | undefined
  dispose(): void
}

// Each chain of asynchronous calls has its own active scope, so a server that predicts while it trains mixes nothing.
const active = new AsyncLocalStorage<Scope | undefined>()

/** The innermost scope that has not ended, or undefined. */
export function currentScope(): Scope | undefined {
  return living(active.getStore())
}

function living(scope: Scope | undefined): Scope | undefined {
  let found = scope
  while (found?.ended) found = found.parent
  return found
}

/** The owner of the tensors made while it is active. Made by `scope()`. */
export class Scope implements Disposable {
  /** @internal */ readonly parent: Scope | undefined
  #owned: Set<Owned> | undefined = new Set()

  /** @internal */ constructor() {
    this.parent = currentScope()
  }

  /** @internal What is made from now on belongs to this scope. */
  enter(): this {
    active.enterWith(this)
    return this
  }

  /** Whether the scope was disposed of. */
  get ended(): boolean {
    return this.#owned === undefined
  }

  /**
   * Lets a tensor of this scope, or of one inside it, outlive this scope; the enclosing scope, if there is one, takes it
   * over. Any other tensor outlives the scope anyway. Returns the tensor.
   */
  keep<T extends Owned>(tensor: T): T {
    let owner = tensor.owner
    while (owner !== undefined && owner !== this) owner = owner.parent
    if (owner === undefined) return tensor
    tensor.owner?.delete(tensor)
    living(this.parent)?.add(tensor)
    return tensor
  }

  /** @internal */ add(tensor: Owned): void {
    this.#owned?.add(tensor)
    tensor.owner = this
  }

  /** @internal Forgets a tensor: one that was disposed of by hand, or that another scope takes over. */
  delete(tensor: Owned): void {
    this.#owned?.delete(tensor)
    tensor.owner = undefined
  }

  /** Disposes of every tensor that was made in the scope and not kept. Twice is allowed. */
  dispose(): void {
    const owned = this.#owned
    if (owned === undefined) return
    this.#owned = undefined
    for (const tensor of owned) tensor.dispose()
    if (active.getStore() === this) active.enterWith(this.parent)
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}

/**
 * Opens a scope: `using step = scope()` disposes of all tensors made until the end of the block.
 *
 * An async function that opens a scope before its first `await` opens it for its caller too, until that awaits the
 * function: call it with `await`, or inside `tidy`, which keeps its scope to itself.
 *
 * @example
 * {
 *   using step = scope()
 *   const y = relu(x)
 * } // y is disposed of here
 */
export function scope(): Scope {
  return new Scope().enter()
}

/**
 * Runs `body`, synchronous or asynchronous, in a scope of its own and returns its result; a tensor that it returns, or
 * that its promise brings, outlives the scope. Calls that run at the same time do not see each other's scopes.
 *
 * @example
 * const results = await Promise.all(requests.map(x => tidy(async () => (await net.forward(x).data())[0])))
 */
export function tidy<T>(body: () => T): T {
  const inner = new Scope()
  const keep = <R>(result: R): R => {
    if (typeof result === 'object' && result !== null && 'owner' in result) inner.keep(result as unknown as Owned)
    return result
  }
  return active.run(inner, () => {
    let waits = false
    try {
      const result = body()
      waits = result instanceof Promise
      return result instanceof Promise ? (result.then(keep).finally(() => inner.dispose()) as T) : keep(result)
    } finally {
      if (!waits) inner.dispose()
    }
  })
}
