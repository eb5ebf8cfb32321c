/**
 * The shapes that kernels are measured on: those of test/shapes, and the layers of the networks at their training batch:
 * CIFAR networks 64, IGC-L100M2 for ImageNet 8. Checked in test/benchmarks/kernels.test.ts.
 */
import {
  batchNorm2dShapes,
  type Conv2dShape,
  conv2dShapes,
  type IgcBlockShape,
  igcBlockShapes,
  linearShapes,
  type MapShape,
  pool2dShapes,
  reorderShapes,
} from '../../test/shapes/shapes.ts'
import { gridCases } from '../networks.ts'
import { rivalBlocks } from '../rivals/cases.ts'

const BATCH = 64
const STAGES = [0, 1, 2] as const

/** Groups of test/shapes that are layers of CIFAR networks. */
const NETWORK_LAYERS = [
  'stem',
  'plain and resnet',
  'resnet',
  'plain_igc and resnet_igc',
  'resnet_igc',
  "resnet_igc as the authors' script has it",
]

const isOfNetwork = ({ why }: { why: string }) => NETWORK_LAYERS.includes(why)

function atBatch<T extends { name: string; N: number }>(shape: T, N: number): T {
  return { ...shape, name: `networks/${shape.name}`, N }
}

/** Test shapes under their own name; an empty batch takes no time. */
function tests<T extends { name: string; N: number }>(shapes: readonly T[]): T[] {
  return shapes.filter(({ N }) => N > 0).map(shape => ({ ...shape, name: `tests/${shape.name}` }))
}

function block(name: string, N: number, size: number, L: number, M: number): IgcBlockShape {
  const C = L * M
  const sizes = { N, H: size, W: size, C, K: C, R: 3, S: 3, stride: 1, padding: 1, L, M }
  return { name: `networks/${name}`, why: 'networks', ...sizes }
}

const imagenetBlocks = Object.entries(rivalBlocks)
  .filter(([name]) => name.startsWith('imagenet'))
  .map(([name, { N, size, L, M }]) => block(name, N, size, L, M))

/** The three stages of every member of the paper's partition study; L stays, M doubles. */
const gridBlocks = gridCases.flatMap(({ primaryPartition: L, secondaryPartition: M }) =>
  STAGES.map(s => block(`grid-L${L}M${M}-stage-${s}`, BATCH, 32 >> s, L, M << s)),
)

/** Both convolutions of a block, as they would be alone. */
function halves({ name, why, N, H, W, C, K, L, M }: IgcBlockShape): Conv2dShape[] {
  const sizes = { why, N, H, W, C, K, stride: 1 }
  return [
    { name: `${name}-primary`, ...sizes, R: 3, S: 3, padding: 1, groups: L },
    { name: `${name}-secondary`, ...sizes, R: 1, S: 1, padding: 0, groups: M },
  ]
}

export const convolutions: readonly Conv2dShape[] = [
  ...conv2dShapes.filter(isOfNetwork).map(shape => atBatch(shape, BATCH)),
  ...imagenetBlocks.flatMap(halves),
  ...tests(conv2dShapes),
]

export const blocks: readonly IgcBlockShape[] = [
  ...igcBlockShapes.filter(isOfNetwork).map(shape => atBatch(shape, BATCH)),
  ...imagenetBlocks,
  ...gridBlocks,
  ...tests(igcBlockShapes),
]

function map(name: string, N: number, size: number, C: number): MapShape {
  return { name: `networks/${name}`, why: 'networks', N, H: size, W: size, C }
}

/** Of batch norm, element-wise ops and the global pool. */
export const maps: readonly MapShape[] = [
  ...STAGES.map(s => map(`L24M2-stage-${s}`, BATCH, 32 >> s, 48 << s)),
  ...STAGES.map(s => map(`W16-stage-${s}`, BATCH, 32 >> s, 16 << s)),
  map('imagenet-56x56x200', 8, 56, 200),
  ...tests(batchNorm2dShapes),
]

export const reorders = [
  { ...map('L24M2-stage-0-factor-24', BATCH, 32, 48), factor: 24 },
  { ...map('L24M2-stage-0-factor-2', BATCH, 32, 48), factor: 2 },
  ...tests(reorderShapes),
]

export const pools = [
  { ...map('imagenet-stem', 8, 112, 100), kernel: 3, stride: 2, padding: 1 },
  { ...map('L24M2-whole-map', BATCH, 8, 192), kernel: 8, stride: 8, padding: 0 },
  ...tests(pool2dShapes),
]

export const linears = [
  { name: 'networks/cifar10', why: 'networks', N: BATCH, C: 192, K: 10 },
  { name: 'networks/cifar100', why: 'networks', N: BATCH, C: 192, K: 100 },
  { name: 'networks/imagenet', why: 'networks', N: 8, C: 1600, K: 1000 },
  ...tests(linearShapes),
]
