/**
 * The published package in the hands of others: ES modules, CommonJS, worker threads, TypeScript with each resolution of
 * modules, and the linters of packages.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { folderOf, installInto, packages, root, runNode, temporaryFolder } from './support.ts'

const ADDON = `@igcnet/${process.platform}-${process.arch}`
const bin = (path: string) => join(root, 'node_modules', path)

/** Of package.json; undefined: it says nothing, which is CommonJS. `npm init` of npm 11 writes commonjs. */
type PackageType = 'module' | 'commonjs' | undefined

function project(type: PackageType = undefined): string {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type }))
  installInto(folder, ['igcnet', ADDON])
  return folder
}

const PRODUCT = 'igcnet.relu(igcnet.tensor([-1, 2], [2])).dataSync().join()'

describe('the package runs', () => {
  const expectRuns = (folder: string, file: string, code: string) => {
    writeFileSync(join(folder, file), code)
    // Node 20 says on standard error that require() of ES modules is experimental.
    const { status, stdout } = runNode(folder, ['--no-warnings', file])
    expect({ status, stdout }).toEqual({ status: 0, stdout: '0,2\n' })
  }

  it('imported by an ES module', () => {
    expectRuns(project(), 'a.mjs', `import * as igcnet from 'igcnet'\nconsole.log(${PRODUCT})`)
  })

  it('required by CommonJS', () => {
    expectRuns(project(), 'a.cjs', `const igcnet = require('igcnet')\nconsole.log(${PRODUCT})`)
  })

  it.each([undefined, 'commonjs', 'module'] as const)('as the README has it, in a package of type %s', type => {
    const folder = project(type)
    const readme = readFileSync(join(folder, 'node_modules/igcnet/README.md'), 'utf8')
    const file = /Save it as `([\w.]+)` and run `npx tsx \1`/.exec(readme)?.[1] as string
    const script = /```ts\n([\s\S]*?)```/.exec(readme)?.[1]?.replace('epoch < 5', 'epoch < 1') as string
    writeFileSync(join(folder, file), script)
    const { status, stdout, stderr } = runNode(folder, [bin('tsx/dist/cli.mjs'), file])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/^after epoch 1: [\d.]+ % of the test images\n$/)
  })

  it('in worker threads', () => {
    const folder = project()
    const worker = `import * as igcnet from 'igcnet'\nimport { parentPort } from 'node:worker_threads'\nparentPort.postMessage(${PRODUCT})`
    writeFileSync(join(folder, 'worker.mjs'), worker)
    const main = `import { Worker } from 'node:worker_threads'
      const results = await Promise.all([1, 2, 3].map(() => new Promise((resolve, reject) => {
        new Worker(new URL('./worker.mjs', import.meta.url)).on('message', resolve).on('error', reject)
      })))
      console.log(new Set(results).size === 1 ? results[0] : results)`
    expectRuns(folder, 'a.mjs', main)
  })

  it('with the CUDA package on a machine without a GPU: auto is the CPU, and says why once', () => {
    const cuda = `${ADDON}-cuda`
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'package.json'), '{"private":true}')
    const main = installInto(folder, packages.has(cuda) ? ['igcnet', ADDON, cuda] : ['igcnet', ADDON])
    const env = { IGCNET_CUDA_DRIVER: join(folder, 'libcuda.so.1') }
    const reason = packages.has(cuda)
      ? `no NVIDIA driver was found: tried ${env.IGCNET_CUDA_DRIVER}`
      : `there is no plug-in: ${join(folder, 'node_modules', ADDON, 'libigcnet_cuda.so')} is not there ` +
        `(\`npm run build:cuda\` builds it in a clone), and the package ${cuda} was refused: not installed`
    writeFileSync(
      join(folder, 'a.mjs'),
      `import { tensor } from 'igcnet'
       const x = tensor([1], [1], { device: 'auto' }), y = tensor([1], [1], { device: 'auto' })
       console.log(x.device, y.device)`,
    )
    expect(runNode(folder, ['a.mjs'], env)).toMatchObject({
      status: 0,
      stdout: 'cpu cpu\n',
      stderr: `igcnet: running on the CPU: ${reason}\n`,
    })
    const entry = join(main, 'dist/cli/main.js')
    expect(runNode(folder, [entry, 'doctor'], env).stdout).toContain(`cuda                 not available: ${reason}\n`)
    const args = ['train', '--depth', '8', '--num-epochs', '1', '--train-examples', '64', '--batch-size', '32']
    const trained = runNode(folder, [entry, ...args, '--run-dir', 'run', '--device', 'auto', '--json'], env)
    expect(trained.status, trained.stderr).toBe(0)
    expect(trained.stderr.split(reason)).toHaveLength(2)
    expect(JSON.parse(readFileSync(join(folder, 'run/config.json'), 'utf8')).device).toBe('cpu')
  })
})

describe('TypeScript', () => {
  const source = `import { data, models, nn, optim, scope, type Tensor, tensor } from 'igcnet'
    const net = models.plainIgc({ depth: 8, primaryPartitions: 4, secondaryPartitions: 2, classes: 10 })
    const sgd: optim.Sgd = optim.sgd(net.parameters(), { lr: 0.1 })
    const loader: data.Loader = data.digits({ split: 'train', batchSize: 64 })
    export const logits: Tensor = net.forward(tensor(new Float32Array(3072), [1, 32, 32, 3] as const))
    export { loader, nn, sgd }
    { using _ = scope() }
    // @ts-expect-error: a shape is an array of numbers
    tensor([1], 'one')
  `
  // Without skipLibCheck: the declarations themselves must be right. CommonJS needs a TypeScript that knows require() of ES modules.
  it.each([
    ['NodeNext, ES module', 'module', ['--module', 'nodenext', '--moduleResolution', 'nodenext']],
    ['NodeNext, CommonJS', 'commonjs', ['--module', 'nodenext', '--moduleResolution', 'nodenext']],
    ['Bundler', 'module', ['--module', 'esnext', '--moduleResolution', 'bundler']],
    ['Bundler, CommonJS package', 'commonjs', ['--module', 'preserve', '--moduleResolution', 'bundler']],
  ] as const)('%s', (_, type, options) => {
    const folder = project(type)
    writeFileSync(join(folder, 'a.ts'), source)
    // No types but those that the package asks for, as TypeScript 7 has it.
    writeFileSync(join(folder, 'tsconfig.json'), '{ "compilerOptions": { "types": [] }, "files": ["a.ts"] }')
    const shared = ['--strict', '--noEmit', '--target', 'es2022']
    expect(runNode(folder, [bin('typescript/bin/tsc'), '-p', '.', ...shared, ...options])).toMatchObject({
      status: 0,
      stdout: '',
    })
  })
})

describe('the linters of packages', () => {
  it('publint finds nothing', () => {
    const { status, stdout, stderr } = runNode(root, [bin('publint/src/cli.js'), folderOf('igcnet'), '--strict'])
    expect(status, stdout + stderr).toBe(0)
    expect(stdout).toContain('All good!')
  })

  it('are the types wrong? No', () => {
    const tarball = packages.get('igcnet')?.path as string
    // CommonJS gets the ES module through require(), which every Node of "engines" has.
    const rules = ['--ignore-rules', 'cjs-resolves-to-esm', '--format', 'json', '--no-color']
    const { status, stdout, stderr } = runNode(root, [bin('@arethetypeswrong/cli/dist/index.js'), tarball, ...rules])
    expect(status, stdout.slice(0, 3000) + stderr).toBe(0)
    const { problems } = JSON.parse(stdout)
    expect(Object.keys(problems ?? {})).toEqual(['CJSResolvesToESM'])
  })
})
