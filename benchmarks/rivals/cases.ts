/**
 * What is compared with PyTorch and onnxruntime-node, and who takes part. A case is plain JSON: the contestants receive
 * it as it is. Checked in test/benchmarks/rivals.test.ts.
 */
import { type NetworkCase, networkCases } from '../networks.ts'

/** train: a step; infer: a batch; latency: one image; memory: peak of the process over some steps. */
export interface NetworkRivalCase {
  readonly id: string
  readonly kind: 'train' | 'infer' | 'latency' | 'memory'
  readonly network: NetworkCase
  readonly batchSize: number
  readonly contestants: readonly ContestantName[]
}

/** Both convolutions and both permutations, without batch norm; backward: the three gradients. */
export interface BlockRivalCase {
  readonly id: string
  readonly kind: 'block-forward' | 'block-backward'
  readonly block: BlockSizes
  readonly contestants: readonly ContestantName[]
}

export interface BlockSizes {
  readonly N: number
  /** Height and width. */
  readonly size: number
  readonly L: number
  readonly M: number
}

export type RivalCase = NetworkRivalCase | BlockRivalCase

/** Who takes part, and how tables call it. */
export const contestantTitles = {
  ours: 'igcnet',
  'ours-avx2': 'igcnet, AVX2',
  'ours-cudnn': 'igcnet, cuDNN',
  torch: 'PyTorch, NCHW',
  'torch-cl': 'PyTorch, channels_last',
  'torch-compile': 'torch.compile',
  ort: 'onnxruntime-node',
} as const

export type ContestantName = keyof typeof contestantTitles

const OURS: readonly ContestantName[] = ['ours']
const TORCH: readonly ContestantName[] = ['torch', 'torch-cl', 'torch-compile']
const ON_GPU = (process.env.IGCNET_BENCH_DEVICE || 'cpu') !== 'cpu'
const BATCH = 64

/** The blocks of plain_igc L24M2 at batch 64, and those of the ImageNet network IGC-L100M2 at batch 8. */
export const rivalBlocks: Readonly<Record<string, BlockSizes>> = {
  'stage-1': { N: 64, size: 32, L: 24, M: 2 },
  'stage-2': { N: 64, size: 16, L: 24, M: 4 },
  'stage-3': { N: 64, size: 8, L: 24, M: 8 },
  'imagenet-56x56x200': { N: 8, size: 56, L: 100, M: 2 },
  'imagenet-28x28x400': { N: 8, size: 28, L: 200, M: 2 },
  'imagenet-14x14x800': { N: 8, size: 14, L: 400, M: 2 },
  'imagenet-7x7x1600': { N: 8, size: 7, L: 800, M: 2 },
}

function blockCases(): BlockRivalCase[] {
  return (['block-forward', 'block-backward'] as const).flatMap(kind =>
    Object.entries(rivalBlocks).map(([name, block]) => ({
      id: `${kind}:${name}`,
      kind,
      block,
      contestants: [...OURS, ...(ON_GPU ? (['ours-cudnn'] as const) : []), ...TORCH],
    })),
  )
}

function casesOf(network: NetworkCase, isFirst: boolean): NetworkRivalCase[] {
  const forced: readonly ContestantName[] = isFirst ? ['ours-avx2'] : []
  const make = (kind: NetworkRivalCase['kind'], batchSize: number, contestants: readonly ContestantName[]) => ({
    id: `${kind}:${network.id}`,
    kind,
    network,
    batchSize,
    contestants,
  })
  return [
    make('train', BATCH, [...OURS, ...forced, ...TORCH]),
    make('infer', BATCH, [...OURS, ...TORCH, 'ort']),
    make('latency', 1, [...OURS, ...TORCH, 'ort']),
  ]
}

/** Every case; `memory` for depth 20 of the first network. The first network also runs held to AVX2. */
export const rivalCases: readonly RivalCase[] = [
  ...blockCases(),
  ...networkCases.flatMap((network, i) => casesOf(network, i === 0)),
  ...networkCases.slice(0, 1).map(network => ({
    id: `memory:${network.id}`,
    kind: 'memory' as const,
    network,
    batchSize: BATCH,
    contestants: [...OURS, 'torch', 'torch-cl'] as const,
  })),
]
