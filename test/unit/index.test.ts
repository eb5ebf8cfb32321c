/** What the package gives: the list of all public names, so that none comes or goes unnoticed. */
import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'
import * as igcnet from '../../src/index.ts'

const names = (module: object) => Object.keys(module).sort()

it('exports these names', () => {
  expect(names(igcnet)).toEqual([
    'ChangedError',
    'CudaError',
    'DTypeError',
    'DataError',
    'DeviceError',
    'DisposedError',
    'Generator',
    'IgcError',
    'InstallError',
    'InternalError',
    'OutOfMemoryError',
    'ShapeError',
    'Tensor',
    'UnsupportedError',
    'add',
    'addRelu',
    'avgPool2d',
    'batchNorm2d',
    'conv2d',
    'crossEntropy',
    'data',
    'device',
    'dropout',
    'formatShape',
    'full',
    'globalAvgPool2d',
    'igcBlock',
    'linear',
    'maxPool2d',
    'models',
    'nn',
    'noGrad',
    'ones',
    'optim',
    'relu',
    'relu6',
    'reorder',
    'reproduce',
    'scope',
    'softmax',
    'tensor',
    'theory',
    'tidy',
    'train',
    'zeros',
  ])
})

it.each<[string, object, string[]]>([
  [
    'nn',
    igcnet.nn,
    [
      'AvgPool2d',
      'BatchNorm2d',
      'Conv2d',
      'ConvBlock',
      'Dropout',
      'GlobalAvgPool2d',
      'IgcBlock',
      'InterleavedGroupConv2d',
      'Linear',
      'MaxPool2d',
      'Module',
      'ReLU',
      'ReLU6',
      'Sequential',
      'crossEntropy',
      'fanInUniform',
      'heNormal',
      'parameter',
    ],
  ],
  ['optim', igcnet.optim, ['LossScaler', 'Sgd', 'cosine', 'lossScaler', 'multiStep', 'sgd']],
  [
    'models',
    igcnet.models,
    [
      'Igcv2MobileNet',
      'Igcv3D',
      'Plain',
      'ResNet',
      'ResNetImageNet',
      'create',
      'igcv2',
      'igcv2MobileNet',
      'igcv3D',
      'networks',
      'plain',
      'plainIgc',
      'resnet',
      'resnetIgc',
      'resnetIgcImgnetD18',
      'resnetIgcv2',
      'resnetImgnetD18',
      'resnetSumfusion',
      'resnetXception',
      'sumfusion',
      'xception',
    ],
  ],
  ['data', igcnet.data, ['cifar10', 'cifar100', 'digits', 'imageFolder', 'imageFolderClasses']],
  [
    'train',
    igcnet.train,
    [
      'buildNetwork',
      'countTopK',
      'evaluate',
      'evaluateCheckpoint',
      'inference',
      'loadNetwork',
      'readConfig',
      'readSafetensors',
      'saveNetwork',
      'summarize',
      'train',
      'withDefaults',
    ],
  ],
  [
    'theory',
    igcnet.theory,
    [
      'FusedConvolution',
      'compositeKernel',
      'countPaths',
      'density',
      'fuseForInference',
      'igcParameters',
      'igcPattern',
      'igcv2Parameters',
      'igcv2Pattern',
      'isComplementary',
      'isDense',
      'linearChain',
      'partitionsFor',
      'patternOf',
      'pointwiseLayers',
      'reorderChannels',
      'widestFor',
    ],
  ],
  [
    'reproduce',
    igcnet.reproduce,
    [
      'COMPARED_COLUMNS',
      'PARTITION_COLUMNS',
      'compare',
      'comparedMembers',
      'countTables',
      'differences',
      'networkId',
      'parseNetwork',
      'partitionMembers',
      'partitions',
    ],
  ],
  [
    'device',
    igcnet.device,
    ['Recording', 'cuda', 'defaultThreads', 'info', 'memory', 'record', 'setThreads', 'synchronize', 'trim'],
  ],
])('exports these names in %s', (_, module, expected) => {
  expect(names(module)).toEqual(expected)
})

it('has error classes with stable codes', () => {
  const codes = {
    ShapeError: 'ERR_IGC_SHAPE',
    DTypeError: 'ERR_IGC_DTYPE',
    DeviceError: 'ERR_IGC_DEVICE',
    UnsupportedError: 'ERR_IGC_UNSUPPORTED',
    OutOfMemoryError: 'ERR_IGC_OUT_OF_MEMORY',
    DisposedError: 'ERR_IGC_DISPOSED',
    ChangedError: 'ERR_IGC_CHANGED',
    CudaError: 'ERR_IGC_CUDA',
    DataError: 'ERR_IGC_DATA',
    InstallError: 'ERR_IGC_INSTALL',
    InternalError: 'ERR_IGC_INTERNAL',
  } as const
  const classes = { ...igcnet }
  for (const [name, code] of Object.entries(codes)) {
    const cause = new Error('below')
    const error = new classes[name as keyof typeof codes]('text', { cause })
    expect(error).toBeInstanceOf(igcnet.IgcError)
    expect(error).toMatchObject({ name, code, message: 'text', cause })
  }
})

it('loads undici, which reserves gigabytes of addresses, only where something is downloaded', () => {
  const code = `
    let compiled = ''
    const { instantiate } = WebAssembly
    WebAssembly.instantiate = (...given) => ((compiled += new Error().stack), instantiate(...given))
    await import(${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)})
    const wait = () => new Promise(resolve => setTimeout(resolve, 300))
    await wait()
    const before = compiled.includes('undici')
    await import('undici')
    await wait()
    console.log(before, compiled.includes('undici'))`
  const argv = ['--import', 'tsx', '--input-type=module', '-e', code]
  expect(spawnSync(process.execPath, argv, { encoding: 'utf8' }).stdout).toBe('false true\n')
})
