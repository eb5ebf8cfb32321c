/** Training runs: `import { train } from 'igcnet'`. Everything public is exported here. */
export { type DatasetName, type Precision, type TrainConfig, withDefaults } from './config.ts'
export {
  type CheckpointEvaluation,
  type EvaluateCheckpointOptions,
  type EvaluateOptions,
  type Evaluation,
  type EvaluationConfig,
  evaluate,
  evaluateCheckpoint,
  readConfig,
} from './evaluate.ts'
export { type Inference, type InferenceOptions, inference } from './inference.ts'
export { countTopK, type EpochRow } from './metrics.ts'
export { buildNetwork } from './network.ts'
export { type LoadedNetwork, loadNetwork, saveNetwork } from './network-file.ts'
export type { TrainOptions } from './options.ts'
export type { OnProgress, Progress } from './progress.ts'
export { readSafetensors, type Stored, type StoredDType, type StoredTensor } from './safetensors.ts'
export { type Summary, type SummaryRow, summarize } from './summary.ts'
export { type TrainResult, train } from './trainer.ts'
