/**
 * Data sets: `import { data } from 'igcnet'`. Everything public is exported here.
 */

export { type CifarOptions, cifar10, cifar100 } from './cifar.ts'
export { type DigitsOptions, digits } from './digits.ts'
export { type ImageFolderOptions, imageFolder, imageFolderClasses } from './image-folder.ts'
export type { Batch, Loader, LoaderState } from './loader.ts'
export type { DatasetOptions, DownloadProgress, FileDatasetOptions, OnDownload, Split } from './options.ts'
export type { PlainBatch } from './prefetch.ts'
