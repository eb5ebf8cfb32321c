/** sgdStep: one step of stochastic gradient descent, in place. Checked in test/kernels/sgd-step.test.ts, test/golden. */
import { native, type SgdParams } from '../native.ts'
import { handleOf, type Tensor } from '../tensor.ts'

/** Gradients of a loss that was multiplied: scalars in f32 on the device of the parameters. */
export interface GradientScale {
  /** What the loss was multiplied by. */
  readonly scale: Tensor<readonly [], 'f32'>
  /** Not 0: some gradient is not finite, and the step is left out. */
  readonly found: Tensor<readonly [], 'f32'>
}

/**
 * `d = g + weightDecay w; v = momentum v + d; w -= lr (nesterov ? d + momentum v : v)`, updating w and v in place; with
 * `scaling`, g / scale in the place of g, and nothing where something was found. All of one shape, dtype and device.
 * @throws ShapeError, DTypeError, DeviceError, RangeError
 */
export function sgdStep(g: Tensor, w: Tensor, v: Tensor, params: SgdParams, scaling?: GradientScale): void {
  native.sgdStep(
    handleOf('sgdStep', 'g', g),
    handleOf('sgdStep', 'w', w),
    handleOf('sgdStep', 'v', v),
    params,
    scaling?.scale.handle,
    scaling?.found.handle,
  )
}

/** Sets `found` (a scalar, f32) to 1 when x has an infinity or NaN; else leaves it. @throws DTypeError, DeviceError */
export function noteNonFinite(x: Tensor, found: Tensor): void {
  native.noteNonFinite(x.handle, found.handle)
}
