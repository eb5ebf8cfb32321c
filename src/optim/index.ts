/** Optimisers and learning rate schedules. */
export { cosine, multiStep, type Schedule } from './schedule.ts'
export { Sgd, type SgdOptions, sgd } from './sgd.ts'
