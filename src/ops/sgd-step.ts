/** sgdStep: one step of stochastic gradient descent, in place. Checked in test/kernels/sgd-step.test.ts, test/golden. */
import { native, type SgdParams } from '../native.ts'
import { handleOf, type Tensor } from '../tensor.ts'
import { expectOptions } from '../values.ts'

/** Gradients of a loss that was multiplied: scalars in f32 on the device of the parameters. */
export interface GradientScale {
  /** What the loss was multiplied by. */
  readonly scale: Tensor<readonly [], 'f32'>
  /** Not 0: some gradient is not finite, and the step is left out. */
  readonly found: Tensor<readonly [], 'f32'>
}

/** One parameter of a step: its gradient, itself and its velocity, of one shape. */
export interface SgdParameter {
  readonly g: Tensor
  readonly w: Tensor
  readonly v: Tensor
}

/**
 * `d = g + weightDecay w; v = momentum v + d; w -= lr (nesterov ? d + momentum v : v)`, updating w and v of every
 * parameter in place, or of none; with `scaling`, g / scale in the place of g, and nothing where something was found. All
 * of one dtype and device.
 * @throws ShapeError, DTypeError, DeviceError, RangeError; TypeError for parameters that share memory, and for a scaling
 * without tensors
 */
export function sgdStep(parameters: readonly SgdParameter[], params: SgdParams, scaling?: GradientScale): void {
  if (scaling !== undefined) expectOptions('sgdStep', scaling)
  native.sgdStep(
    parameters.map(({ g }) => handleOf('sgdStep', 'g', g)),
    parameters.map(({ w }) => handleOf('sgdStep', 'w', w)),
    parameters.map(({ v }) => handleOf('sgdStep', 'v', v)),
    params,
    scaling && handleOf('sgdStep', 'scale', scaling.scale),
    scaling && handleOf('sgdStep', 'found', scaling.found),
  )
}

/** Sets `found` (a scalar, f32) to 1 when x has an infinity or NaN; else leaves it. @throws DTypeError, DeviceError */
export function noteNonFinite(x: Tensor, found: Tensor): void {
  native.noteNonFinite(x.handle, found.handle)
}
