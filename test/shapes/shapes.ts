/**
 * The shape lists of this folder, typed: one list per operator for kernel tests and benchmarks. The JSON files are
 * written by generate.mjs, which checks that every shape exists and every name is used once.
 */
import { readFileSync } from 'node:fs'

interface Named {
  /** Unique in its list. */
  readonly name: string
  /** The group: what this shape is for. */
  readonly why: string
}

/** A batch of images `[N, H, W, C]`. */
export interface MapShape extends Named {
  readonly N: number
  readonly H: number
  readonly W: number
  readonly C: number
}

/** x `[N, H, W, C]`, w `[K, R, S, C/groups]`. */
export interface Conv2dShape extends MapShape {
  readonly K: number
  readonly R: number
  readonly S: number
  readonly stride: number
  readonly padding: number
  readonly groups: number
}

/** x `[N, H, W, C]`, primary weight `[K, R, S, C/L]`, secondary weight `[K, 1, 1, K/M]`. */
export interface IgcBlockShape extends MapShape {
  readonly K: number
  readonly R: number
  readonly S: number
  readonly stride: number
  readonly padding: number
  readonly L: number
  readonly M: number
}

export interface Pool2dShape extends MapShape {
  readonly kernel: number
  readonly stride: number
  readonly padding: number
}

/** x `[N, C]`, w `[K, C]`. */
export interface LinearShape extends Named {
  readonly N: number
  readonly C: number
  readonly K: number
}

export interface ReorderShape extends MapShape {
  readonly factor: number
}

function load<T extends Named>(file: string): readonly T[] {
  return JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8'))
}

export const conv2dShapes = load<Conv2dShape>('conv2d.json')
/** Of the list's many groups every width with three numbers of groups. */
export const fewerConv2dShapes = conv2dShapes.filter(
  ({ why, groups }) => why !== 'groups' || [1, 3, 24].includes(groups),
)
export const igcBlockShapes = load<IgcBlockShape>('igc-block.json')
export const pool2dShapes = load<Pool2dShape>('pool2d.json')
/** Also for global average pooling. No empty batch: it has no batch statistics. */
export const batchNorm2dShapes = load<MapShape>('batch-norm2d.json')
export const linearShapes = load<LinearShape>('linear.json')
export const reorderShapes = load<ReorderShape>('reorder.json')
