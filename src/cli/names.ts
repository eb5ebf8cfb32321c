/**
 * The names that options take. They stand here once more, as constants, so that help and spelling need no native
 * addon (the networks' have a file without it); the compiler and test/cli/values.test.ts hold them equal to the library's.
 */
import { networkNames } from '../models/table.ts'
import type { DeviceChoice } from '../tensor.ts'
import type { DatasetName } from '../train/index.ts'

export const NETWORKS = networkNames
export const DATASETS = ['digits', 'cifar10', 'cifar100', 'folder'] as const satisfies readonly DatasetName[]
export const SPLITS = ['test', 'train'] as const

/** What --device takes, besides cuda:1, …: `auto` is the best device there is. */
export const DEVICES = ['cpu', 'reference', 'cuda', 'auto'] as const satisfies readonly DeviceChoice[]
export type { DeviceChoice }
