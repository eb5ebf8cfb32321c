/** Optimisers, learning rate schedules, loss scaling. */

export type { GradientScale } from '../ops/sgd-step.ts'
export { LossScaler, type LossScalerOptions, type LossScalerState, lossScaler } from './loss-scaler.ts'
export { cosine, multiStep, type Schedule } from './schedule.ts'
export { Sgd, type SgdOptions, sgd } from './sgd.ts'
