/**
 * Every error that igcnet throws on purpose. Each class has a stable `code`; messages have the form
 * `op: expected … but received …` where a value was given. The classes are handed to the native addon when it loads
 * (native.ts), which throws the same ones. Wrong kinds of JavaScript values are plain `TypeError`s, and numbers out of
 * range plain `RangeError`s, but for sizes of windows and layers (stride, padding, channels), which are ShapeErrors.
 */

/** The base class: `error instanceof IgcError` tells a fault that igcnet explains from any other. */
export class IgcError extends Error {
  /** Stable, for programs: `ERR_IGC_SHAPE`, … */
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.name = new.target.name
  }
}

/** Sizes that do not fit: rank, dimension, divisibility. */
export class ShapeError extends IgcError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_IGC_SHAPE', message, options)
  }
}

/** An element type that the operation does not take. */
export class DTypeError extends IgcError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_IGC_DTYPE', message, options)
  }
}

/** An unknown or missing device, or tensors of different devices in one operation. */
export class DeviceError extends IgcError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_IGC_DEVICE', message, options)
  }
}

/** The device has no such operation, or not for this element type. */
export class UnsupportedError extends IgcError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_IGC_UNSUPPORTED', message, options)
  }
}

/** No memory: the message has the size asked for and the sizes in use. */
export class OutOfMemoryError extends IgcError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_IGC_OUT_OF_MEMORY', message, options)
  }
}

/** A tensor was used after `dispose()` or after its scope ended. */
export class DisposedError extends IgcError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_IGC_DISPOSED', message, options)
  }
}

/** Values that gradients depend on would be changed in place, or were before `backward()` came to need them. */
export class ChangedError extends IgcError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_IGC_CHANGED', message, options)
  }
}

/** CUDA, cuDNN or cuBLAS failed: the message has the failed expression. */
export class CudaError extends IgcError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_IGC_CUDA', message, options)
  }
}

/** Data that make no sense: a malformed file (path, byte offset, what was expected), a label out of range. */
export class DataError extends IgcError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_IGC_DATA', message, options)
  }
}

/** The native addon could not be loaded: the message has what was tried, why it failed, and what to do. */
export class InstallError extends IgcError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_IGC_INSTALL', message, options)
  }
}

/** A fault of igcnet itself: please report it. */
export class InternalError extends IgcError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_IGC_INTERNAL', message, options)
  }
}
