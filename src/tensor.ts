/**
 * Tensors: typed arrays of numbers on a device, row-major and contiguous, images as [N, H, W, C].
 * Checked in test/unit/tensor.test.ts, the types in test/types/.
 */
import { backward, isRecording, type Leaf, makerOf, Node } from './autograd.ts'
import { DeferredNorm, noteDeferring } from './deferred.ts'
import { type ArrayOf, type DType, isHalf } from './dtype.ts'
import { ChangedError, DeviceError, DisposedError, DTypeError, ShapeError } from './errors.ts'
import { type NativeTensor, native, type TypedArray } from './native.ts'
import { currentScope, type Owned, type Scope } from './scope.ts'
import { type DTypeOf, dtypeOf, expectOptions, inWords, type Source, valuesOf } from './values.ts'

export { type ArrayOf, type DType, type FloatDType, isHalf, type ParameterDType, type ParameterOf } from './dtype.ts'

/** Sizes. A dimension of type `number` is checked at run time, a literal one by the compiler too. */
export type Shape = readonly number[]
/**
 * Every device holds every dtype; they compute in these. `cpu`: fast, f32. `reference`: slow and simple, f32 and f64, the
 * specification that every device must equal. `cuda` and `cuda:1`, …: NVIDIA GPUs, f32, bf16 and f16, through a plug-in.
 */
export type DeviceName = 'cpu' | 'reference' | 'cuda' | `cuda:${number}`
/** What may be asked for: a device, or `auto`: cuda where it can be had, else cpu, with the reason once on stderr. */
export type DeviceChoice = DeviceName | 'auto'

/** Where a tensor lives, and whether it learns. */
export type TensorOptions<D extends DType = DType> = {
  /** Default: that of the typed array; f32 for plain numbers. */
  dtype?: D
  /** Default: 'cpu'. */
  device?: DeviceChoice
  /** Whether `backward()` should leave a gradient in `grad`. Default: false. Floats only. */
  requiresGrad?: boolean
}

function checkLearns(dtype: DType): void {
  if (dtype === 'f32' || dtype === 'f64' || isHalf(dtype)) return
  throw new DTypeError(`requiresGrad: expected a floating dtype but received ${dtype}`)
}

/** The text of a shape as errors show it: `[128, 32, 32, 50]`. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`
}

/**
 * An array of numbers of one dtype, dense and row-major, on a device. Its memory is freed by `dispose()`, at the end of the
 * scope that it was made in, and last by the garbage collector. Made by `tensor`, `zeros`, `ones`, `full` and by ops.
 */
export class Tensor<S extends Shape = Shape, D extends DType = DType> implements Disposable, Owned {
  readonly shape: S
  readonly dtype: D
  readonly device: DeviceName
  /**
   * The sum of the gradients that `backward()` brought since the last optimiser step. Leaves with requiresGrad only.
   * Put another tensor here to change it: its memory may be that of another gradient too, so never write into it.
   */
  grad: Tensor<S, D> | undefined
  /** @internal Where gradients of this tensor go; undefined when it needs none. */
  edge: Node | Leaf | undefined
  /** @internal The scope that will dispose of this tensor. */
  owner: Scope | undefined
  /** Undefined: disposed of. */
  #value: NativeTensor | DeferredNorm | undefined

  /** @internal Use `tensor()`, `zeros()` or an op. Takes the value over. */
  constructor(value: NativeTensor | DeferredNorm, edge?: Node | Leaf) {
    const info = native.tensorInfo(value instanceof DeferredNorm ? value.source : value)
    this.#value = value
    this.shape = info.shape as readonly number[] as S
    this.dtype = info.dtype as D
    this.device = info.device as DeviceName
    this.edge = edge
    if (edge instanceof Node) edge.retain()
    if (value instanceof DeferredNorm) noteDeferring(this)
    currentScope()?.add(this)
  }

  /** @internal The native side; a deferred norm is carried out, once. Throws DisposedError. */
  get handle(): NativeTensor {
    const value = this.#live()
    if (!(value instanceof DeferredNorm)) return value
    const handle = value.carryOut()
    this.#value = handle
    return handle
  }

  /** @internal For ops that apply a norm themselves: what `handle` would carry out; undefined when that is done. */
  get deferred(): DeferredNorm | undefined {
    const value = this.#live()
    return value instanceof DeferredNorm ? value : undefined
  }

  #live(): NativeTensor | DeferredNorm {
    if (this.#value === undefined) {
      throw new DisposedError(
        `tensor: expected a live tensor but received one ${formatShape(this.shape)} that was disposed of (by dispose() or at the end of its scope)`,
      )
    }
    return this.#value
  }

  /** Whether its memory was freed: every use of it is a DisposedError then. */
  get disposed(): boolean {
    return this.#value === undefined
  }

  /** The number of elements. */
  get size(): number {
    return this.shape.reduce((product, size) => product * size, 1)
  }

  /**
   * Whether a gradient flows to or through this tensor. Setting it makes the tensor a leaf.
   * @throws ShapeError for the result of an op; DTypeError for integers
   */
  get requiresGrad(): boolean {
    return this.edge !== undefined
  }

  set requiresGrad(value: boolean) {
    if (value) checkLearns(this.dtype)
    if (this.edge instanceof Node) {
      throw new ShapeError('requiresGrad: expected a leaf but received the result of an op; detach() it first')
    }
    if (value === this.requiresGrad) return
    // Rules bring the gradient of a deferred norm behind its ReLU: right for the norm, not for a leaf.
    if (value && !this.disposed) void this.handle
    this.edge = value ? { accumulate: gradient => this.#accumulate(gradient) } : undefined
  }

  /** Whether this tensor is no result of a recorded op: `backward()` leaves gradients in `grad` of such ones only. */
  get isLeaf(): boolean {
    return !(this.edge instanceof Node)
  }

  #accumulate(gradient: NativeTensor): void {
    if (this.disposed || !this.requiresGrad) {
      native.tensorDispose(gradient)
      return
    }
    const old = this.grad?.disposed ? undefined : this.grad
    // Shared memory is another leaf's too, or that of the gradient given to backward().
    if (!old && !native.tensorShared(gradient)) {
      this.grad = untracked(() => new Tensor<S, D>(gradient))
      return
    }
    try {
      const { dtype } = this
      const own = old ? native.addForward(old.handle, gradient) : native.cast(gradient, { dtype })
      this.grad = untracked(() => new Tensor<S, D>(own))
    } finally {
      native.tensorDispose(gradient)
    }
    old?.dispose()
  }

  /** The values, once every op before this call has run. The event loop stays free. */
  async data(): Promise<ArrayOf<D>> {
    const read = readable(this)
    try {
      return (await native.tensorRead(read.handle)) as ArrayOf<D>
    } finally {
      read.free()
    }
  }

  /** The values; blocks the thread until every op before this call has run. */
  dataSync(): ArrayOf<D> {
    const read = readable(this)
    try {
      return native.tensorReadSync(read.handle) as ArrayOf<D>
    } finally {
      read.free()
    }
  }

  /** The value of a tensor with one element. Throws ShapeError for any other. */
  async item(): Promise<number> {
    if (this.size !== 1) {
      throw new ShapeError(`item: expected one element but received a tensor ${formatShape(this.shape)}`)
    }
    return (await this.data())[0] as number
  }

  /**
   * Gradients of this tensor by every leaf that requires one, added to their `grad`. Frees what the ops saved.
   * @param gradient of this tensor, same shape; default 1, for a scalar only.
   * @throws ShapeError when nothing that requires a gradient led here, for a gradient of another shape, and without one when
   * there is more than one element; TypeError for a gradient that is no tensor; DTypeError, DeviceError for a gradient of
   * another dtype or device; DisposedError for a second walk, or when this tensor was disposed of; ChangedError when
   * values that it needs were changed in place since the forward pass. Then no gradient has changed
   */
  backward(gradient?: Tensor<S, D>): void {
    if (this.edge === undefined) {
      throw new ShapeError('backward: expected a tensor that depends on one with requiresGrad but received none')
    }
    if (gradient !== undefined) expectTensor('backward', 'gradient', gradient)
    if (gradient === undefined && this.size !== 1) {
      throw new ShapeError(
        `backward: expected a scalar, or a gradient as argument, but received a tensor ${formatShape(this.shape)}`,
      )
    }
    if (gradient !== undefined && formatShape(gradient.shape) !== formatShape(this.shape)) {
      throw new ShapeError(
        `backward: expected a gradient ${formatShape(this.shape)} but received ${formatShape(gradient.shape)}`,
      )
    }
    if (gradient !== undefined && gradient.dtype !== this.dtype) {
      throw new DTypeError(`backward: expected a gradient of ${this.dtype} but received ${gradient.dtype}`)
    }
    if (gradient !== undefined && gradient.device !== this.device) {
      throw new DeviceError(`backward: expected a gradient on ${this.device} but received one on ${gradient.device}`)
    }
    this.#live() // throws when this tensor, and with it the tape, was disposed of
    backward(this.edge, gradient ? native.tensorRetain(gradient.handle) : this.#ones())
  }

  #ones(): NativeTensor {
    const ones = native.tensorCreate({ device: this.device, dtype: this.dtype, shape: this.shape })
    native.fill(ones, { value: 1 })
    return ones
  }

  /** The same values and memory, without a history. */
  detach(): Tensor<S, D> {
    return new Tensor<S, D>(native.tensorRetain(this.handle))
  }

  /** The same values and memory in another shape. Throws ShapeError unless the number of elements agrees. */
  reshape<const T extends Shape>(shape: T): Tensor<T, D> {
    const handle = native.tensorReshape(this.handle, { shape })
    if (this.edge === undefined || !isRecording()) return new Tensor<T, D>(handle)
    const { shape: original } = this
    const rule = (dy: NativeTensor) => [native.tensorReshape(dy, { shape: original })]
    return new Tensor<T, D>(handle, new Node('reshape', [this.edge], [], rule))
  }

  /** A copy in another dtype: to integers by truncation, saturating, NaN to 0. Without a history. */
  cast<E extends DType>(dtype: E): Tensor<S, E> {
    return new Tensor<S, E>(native.cast(this.handle, { dtype }))
  }

  /** A copy, without a history. */
  clone(): Tensor<S, D> {
    return this.cast(this.dtype)
  }

  /**
   * Overwrites the values in place with those of a tensor or array of the same shape and dtype.
   * @throws ChangedError for the result of a recorded op; ShapeError, DTypeError, DeviceError, DisposedError, TypeError
   */
  assign(source: Tensor<S, D> | ArrayOf<D>): void {
    const maker = makerOf(this.edge)
    if (maker !== undefined) {
      throw new ChangedError(
        `assign: expected a leaf but received the result of ${maker.op}, whose gradients it has; work on a clone()`,
      )
    }
    if (source instanceof Tensor) {
      native.copyInto(source.handle, this.handle)
      return
    }
    if (!ArrayBuffer.isView(source)) {
      throw new TypeError(`assign: expected a tensor or a typed array of ${this.dtype} but received ${inWords(source)}`)
    }
    const { device, dtype, shape, handle } = this
    if (!isHalf(dtype)) {
      native.tensorAssign(handle, source)
      return
    }
    const staged = createNative({ device, dtype, shape }, source) // from f32
    try {
      native.copyInto(staged, handle)
    } finally {
      native.tensorDispose(staged)
    }
  }

  /** Frees the memory (when no other tensor shares it) and the gradient. Twice is allowed. */
  dispose(): void {
    const value = this.#value
    if (value === undefined) return
    this.#value = undefined
    if (value instanceof DeferredNorm) value.dispose()
    else native.tensorDispose(value)
    this.owner?.delete(this)
    if (this.edge instanceof Node) this.edge.drop()
    this.grad?.dispose()
    this.grad = undefined
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  toString(): string {
    return `Tensor ${formatShape(this.shape)} ${this.dtype} on ${this.device}${this.disposed ? ' (disposed)' : ''}`
  }
}

/** @internal @throws TypeError for an op's argument that is no tensor */
export function expectTensor(op: string, name: string, value: unknown): asserts value is Tensor {
  if (value instanceof Tensor) return
  throw new TypeError(`${op}: expected a tensor for ${name} but received ${inWords(value)}`)
}

/** @internal The handle of an op's argument. @throws TypeError for what is no tensor; DisposedError */
export function handleOf(op: string, name: string, value: Tensor): NativeTensor {
  expectTensor(op, name, value)
  return value.handle
}

/** The handle of a tensor whose values have a typed array. */
function readable({ handle, dtype }: Tensor): { handle: NativeTensor; free: () => void } {
  if (!isHalf(dtype)) return { handle, free: () => {} }
  const wide = native.cast(handle, { dtype: 'f32' })
  return { handle: wide, free: () => native.tensorDispose(wide) }
}

/** A native tensor with values; of bf16 and f16 they come as f32. */
function createNative(
  { device, dtype, shape }: { device: DeviceChoice; dtype: DType; shape: Shape },
  data: TypedArray | undefined,
): NativeTensor {
  if (data === undefined || !isHalf(dtype)) return native.tensorCreate({ device, dtype, shape }, data)
  const wide = native.tensorCreate({ device, dtype: 'f32', shape }, data)
  try {
    return native.cast(wide, { dtype })
  } finally {
    native.tensorDispose(wide)
  }
}

/** Runs `make` and takes its tensor out of the active scope: it lives until it is disposed of by hand. */
export function untracked<T extends Tensor>(make: () => T): T {
  const made = make()
  made.owner?.delete(made)
  return made
}

/**
 * A tensor with the given values, which are copied.
 * @param data a typed array, or plain numbers; converted where `dtype` is another: to integers by truncation,
 * saturating, NaN to 0
 * @param shape as many elements as `data` has; default: one dimension
 * @throws ShapeError when the numbers of elements differ; DTypeError; DeviceError; OutOfMemoryError; TypeError
 */
export function tensor<A extends Source, const S extends Shape = readonly [number], D extends DType = DTypeOf<A>>(
  data: A,
  shape?: S,
  options: TensorOptions<D> = {},
): Tensor<NoInfer<S>, NoInfer<D>> {
  expectOptions('tensor', options)
  const dtype = options.dtype ?? dtypeOf(data)
  const values = valuesOf(data, dtype)
  return create(shape ?? ([data.length] as unknown as S), { ...options, dtype: dtype as D }, values)
}

/**
 * A tensor full of one value. Defaults: f32 on cpu.
 * @throws ShapeError for a size that is no whole number of 0 or more; TypeError; DeviceError; OutOfMemoryError
 */
export function full<const S extends Shape, D extends DType = 'f32'>(
  shape: S,
  value: number,
  options: TensorOptions<D> = {},
): Tensor<S, NoInfer<D>> {
  const made = create(shape, options)
  native.fill(made.handle, { value })
  return made
}

/** A tensor of zeros. Defaults: f32 on cpu. @throws as `full` */
export function zeros<const S extends Shape, D extends DType = 'f32'>(
  shape: S,
  options: TensorOptions<D> = {},
): Tensor<S, NoInfer<D>> {
  return full(shape, 0, options)
}

/** A tensor of ones. Defaults: f32 on cpu. @throws as `full` */
export function ones<const S extends Shape, D extends DType = 'f32'>(
  shape: S,
  options: TensorOptions<D> = {},
): Tensor<S, NoInfer<D>> {
  return full(shape, 1, options)
}

function create<S extends Shape, D extends DType>(
  shape: S,
  options: TensorOptions<D>,
  data?: TypedArray,
): Tensor<S, D> {
  expectOptions('tensor', options)
  const { dtype = 'f32', device = 'cpu', requiresGrad = false } = options
  if (requiresGrad) checkLearns(dtype)
  const made = new Tensor<S, D>(createNative({ device, dtype, shape }, data))
  if (requiresGrad) made.requiresGrad = true
  return made
}
