/**
 * The CUDA plug-in on machines that lack something: each is simulated by libraries that are made here, and `igcnet
 * doctor` and `igcnet train --device cuda` say what is missing, in one sentence, without a crash. Where the plug-in was
 * not built (no nvcc), the cases that need it are skipped. With the kernels on the host in place of a GPU, training works.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { MachineReport } from '../../src/cli/machine.ts'
import { lastJson, root, start, temporaryFolder } from '../cli/command-line.ts'
import { tiny } from '../cli/tiny-network.ts'

const folder = mkdtempSync(join(tmpdir(), 'igcnet-plugin-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Compiles a shared library. */
function library(name: string, code: string): string {
  const path = join(folder, name)
  const { status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-xc', '-o', path, '-'], {
    input: code,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`cc: ${stderr}`)
  return path
}

/** The functions of a table of native/cuda/cuda_libraries.h. */
function tableOf(name: string): string[] {
  const text = readFileSync(join(root, 'native/cuda/cuda_libraries.h'), 'utf8')
  const table = new RegExp(`#define ${name}\\(X\\)((?:.*\\\\\\n)+.*)`).exec(text)?.[1] ?? ''
  const functions = [...table.matchAll(/X\((\w+)\)/g)].map(match => match[1] as string)
  expect(functions.length).toBeGreaterThan(5)
  return functions
}

/** The GPUs of a driver are of `capability`: 80 is 8.0. */
const driver = (name: string, version: number, init: number, count: number, capability = 80) =>
  library(
    name,
    `int cuInit(unsigned f) { return ${init}; }
     int cuDriverGetVersion(int* v) { *v = ${version}; return 0; }
     int cuDeviceGetCount(int* n) { *n = ${count}; return 0; }
     int cuDeviceGet(int* gpu, int ordinal) { *gpu = ordinal; return 0; }
     int cuDeviceGetName(char* name, int size, int gpu) { name[0] = 'A' + gpu; name[1] = 0; return 0; }
     int cuDeviceGetAttribute(int* v, int which, int gpu) {
       *v = which == 75 ? ${Math.floor(capability / 10)} : which == 76 ? ${capability % 10} : -1;
       return 0;
     }`,
  )
const cudnn = (name: string, version: number) =>
  library(
    name,
    tableOf('IGCNET_CUDNN_FUNCTIONS')
      .map(f => (f === 'cudnnGetVersion' ? `long ${f}(void) { return ${version}; }` : `int ${f}(void) { return 1; }`))
      .join('\n'),
  )
const cublas = (name: string, major: number) =>
  library(name, `int cublasGetProperty(int which, int* v) { *v = which == 0 ? ${major} : 1; return 0; }`)

async function expectReason(env: Record<string, string>, reason: string | RegExp, device = 'cuda') {
  const run = (...argv: string[]) => start(argv, { env }).ended
  const runDir = join(temporaryFolder(), 'run')
  const text = reason instanceof RegExp ? expect.stringMatching(reason) : reason
  if (device === 'cuda') {
    const doctor = await run('doctor', '--json')
    expect(doctor).toMatchObject({ code: 0, stderr: '' })
    expect((lastJson(doctor) as unknown as MachineReport).devices.cuda).toEqual({ works: false, reason: text })
  }
  const train = await run('train', ...tiny, '--run-dir', runDir, '--device', device)
  expect(train).toMatchObject({ code: 1, stdout: '' })
  const sentence = `igcnet: device ${device} is not available: `
  expect(train.stderr.slice(0, sentence.length)).toBe(sentence)
  expect(train.stderr.slice(sentence.length, -1)).toEqual(text)
  expect(train.stderr.trimEnd()).not.toContain('\n')
}

describe('a plug-in that is none', () => {
  it('is not there', async () => {
    const path = join(folder, 'nowhere.so')
    await expectReason(
      { IGCNET_CUDA_PLUGIN: path },
      `the plug-in ${path} is not there (the value of IGCNET_CUDA_PLUGIN)`,
    )
  })

  it('is no library, or none of igcnet', async () => {
    const text = join(folder, 'text.so')
    writeFileSync(text, 'text')
    await expectReason(
      { IGCNET_CUDA_PLUGIN: text },
      /^the plug-in .*text\.so could not be loaded: .*text\.so: file too short$/,
    )
    const other = library('other.so', 'int other(void) { return 1; }')
    const reason = `the plug-in ${other} is no plug-in of igcnet: it has no function igcnet_device_plugin`
    await expectReason({ IGCNET_CUDA_PLUGIN: other }, reason)
  })

  it('was built from other sources', async () => {
    const code = 'static const char* table[3] = {"0123"}; const void* igcnet_device_plugin(void) { return table; }'
    const old = library('old.so', code)
    const reason = `the plug-in ${old} was built from other sources than the addon: build both again`
    await expectReason({ IGCNET_CUDA_PLUGIN: old }, reason)
  })

  it('ends the process that loads it', async () => {
    const code = '#include <stdlib.h>\n__attribute__((constructor)) static void fail(void) { abort(); }'
    const broken = library('broken.so', code)
    await expectReason({ IGCNET_CUDA_PLUGIN: broken }, 'the process that looked at the GPU was ended by SIGABRT')
  })
})

const plugin = join(root, 'build/Release/libigcnet_cuda.so')

describe.skipIf(!existsSync(plugin))('the plug-in on a machine', () => {
  const base = { IGCNET_CUDA_PLUGIN: plugin, IGCNET_CUDA_DRIVER: '', IGCNET_CUDNN: '', IGCNET_CUBLAS: '' }
  const works = () => driver('driver.so', 13000, 0, 1)
  const nowhere = (name: string) => join(folder, 'nowhere', name)

  it('without a driver', async () => {
    const name = nowhere('libcuda.so.1')
    await expectReason({ ...base, IGCNET_CUDA_DRIVER: name }, `no NVIDIA driver was found: tried ${name}`)
  })

  it('with a driver that is too old', async () => {
    const reason = 'the NVIDIA driver is for CUDA 12.2, but 13.0 or newer is needed'
    await expectReason({ ...base, IGCNET_CUDA_DRIVER: driver('old-driver.so', 12020, 0, 1) }, reason)
  })

  it('without a GPU, without a second one, with a driver that fails', async () => {
    const env = (init: number, count: number) => ({
      ...base,
      IGCNET_CUDA_DRIVER: driver(`driver-${init}-${count}.so`, 13000, init, count),
    })
    await expectReason(env(100, 0), 'the NVIDIA driver sees no GPU')
    await expectReason(env(0, 0), 'the NVIDIA driver sees no GPU')
    await expectReason(env(999, 1), 'the NVIDIA driver does not start: cuInit gave error 999')
  })

  it('with a GPU that is too old, whatever else is missing', async () => {
    const env = { ...base, IGCNET_CUDA_DRIVER: driver('old-gpus.so', 13000, 0, 2, 75) }
    await expectReason(env, 'the GPU A has compute capability 7.5, but 8.0 or newer is needed')
    await expectReason(env, 'the GPU B has compute capability 7.5, but 8.0 or newer is needed', 'cuda:1')
    const auto = ['train', ...tiny, '--run-dir', join(temporaryFolder(), 'run'), '--device', 'auto']
    const outcome = await start(auto, { env }).ended
    const stderr = expect.stringContaining('igcnet: running on the CPU: the GPU A has compute capability 7.5, but 8.0')
    expect(outcome).toMatchObject({ code: 0, stderr })
  })

  it('with a driver that says nothing of its GPUs', async () => {
    const code = `
      int cuInit(unsigned f) { return 0; }
      int cuDriverGetVersion(int* v) { *v = 13000; return 0; }
      int cuDeviceGetCount(int* n) { *n = 1; return 0; }`
    const name = library('silent-driver.so', code)
    const reason = `the NVIDIA driver ${name} does not tell its GPUs`
    await expectReason({ ...base, IGCNET_CUDA_DRIVER: name }, reason)
  })

  it('without cuDNN in any place; found in the wheels of a Python and in the toolkit', async () => {
    const toolkit = join(folder, 'toolkit')
    const python = join(folder, 'venv')
    const wheels = join(python, 'lib/python3.11/site-packages/nvidia')
    for (const path of [join(toolkit, 'lib64'), join(wheels, 'cudnn/lib'), join(wheels, 'cu13/lib')]) {
      mkdirSync(path, { recursive: true })
    }
    // No IGCNET_CUDNN, no other Python on the path, and a copy of the plug-in that has no packages beside it.
    const alone = join(folder, 'alone.so')
    copyFileSync(plugin, alone)
    // Nor where the machine's own may lie.
    const searched = (process.env.LD_LIBRARY_PATH ?? '').split(':')
    const has = (path: string) => ['libcudnn.so.9', 'libcublas.so.13'].some(name => existsSync(join(path, name)))
    const LD_LIBRARY_PATH = searched.filter(path => !has(path)).join(':')
    const home = { HOME: folder, VIRTUAL_ENV: python, PATH: '', CONDA_PREFIX: '', CUDA_HOME: toolkit, CUDA_PATH: '' }
    const env = { ...base, ...home, LD_LIBRARY_PATH, IGCNET_CUDA_PLUGIN: alone, IGCNET_CUDA_DRIVER: works() }
    const places = (wheel: string) =>
      `where the system looks and in ${join(toolkit, 'lib64')}.* and in ${join(wheels, wheel, 'lib')}.*`
    const advice = (wheel: string, name: string) => `\\(\`pip install ${wheel}\` brings it; ${name} gives its path\\)$`
    await expectReason(
      env,
      new RegExp(
        `^cuDNN 9 was not found: tried libcudnn.so.9 ${places('cudnn')}${advice('nvidia-cudnn-cu13', 'IGCNET_CUDNN')}`,
      ),
    )
    copyFileSync(cudnn('cudnn-9-wheel.so', 92400), join(wheels, 'cudnn/lib/libcudnn.so.9'))
    await expectReason(
      env,
      new RegExp(
        `^cuBLAS 13 was not found: tried libcublas.so.13 ${places('cu13')}${advice('nvidia-cublas', 'IGCNET_CUBLAS')}`,
      ),
    )
    const old = join(toolkit, 'lib64/libcublas.so.13')
    copyFileSync(cublas('cublas-12-toolkit.so', 12), old)
    await expectReason(env, `expected cuBLAS 13 but ${old} is cuBLAS 12.1`)
  })

  it('without cuDNN', async () => {
    const name = nowhere('libcudnn.so.9')
    const env = { ...base, IGCNET_CUDA_DRIVER: works(), IGCNET_CUDNN: name }
    await expectReason(env, `cuDNN 9 was not found: tried ${name}`)
  })

  it('with another major version of cuDNN', async () => {
    const old = cudnn('cudnn-8.so', 8907)
    const env = { ...base, IGCNET_CUDA_DRIVER: works(), IGCNET_CUDNN: old }
    await expectReason(env, `expected cuDNN 9 but ${old} is cuDNN 8.9.7`)
  })

  it('without cuBLAS, or with another major version', async () => {
    const env = { ...base, IGCNET_CUDA_DRIVER: works(), IGCNET_CUDNN: cudnn('cudnn-9.so', 92400) }
    const name = nowhere('libcublas.so.13')
    await expectReason({ ...env, IGCNET_CUBLAS: name }, `cuBLAS 13 was not found: tried ${name}`)
    const old = cublas('cublas-12.so', 12)
    await expectReason({ ...env, IGCNET_CUBLAS: old }, `expected cuBLAS 13 but ${old} is cuBLAS 12.1`)
  })
})

describe('with the kernels on the host in place of a GPU', () => {
  const env = { IGCNET_CUDA_PLUGIN: join(root, 'build/Release/libigcnet_simt.so') }

  it('the doctor finds the device, and no second one', async () => {
    const report = lastJson(await start(['doctor', '--json'], { env }).ended) as unknown as MachineReport
    expect(report.devices.cuda).toEqual({ works: true, what: 'kernels on the host, in place of a GPU, for tests' })
    await expectReason(env, 'there is 1 GPU, so cuda:1 does not exist', 'cuda:1')
  })

  it('a variable that makes no sense is an error of usage', async () => {
    const argv = ['train', ...tiny, '--run-dir', join(temporaryFolder(), 'run'), '--device', 'cuda']
    const outcome = await start(argv, { env: { ...env, IGCNET_CUDA_IGC: 'best' } }).ended
    const stderr = 'igcnet: IGCNET_CUDA_IGC: expected cudnn, fused or auto but received best\n'
    expect(outcome).toMatchObject({ code: 2, stderr })
  })

  it('training gives what the CPU gives, and auto takes it', async () => {
    const losses = []
    for (const device of ['cpu', 'cuda', 'auto']) {
      const runDir = join(temporaryFolder(), 'run')
      const outcome = await start(['train', ...tiny, '--run-dir', runDir, '--device', device, '--json'], { env }).ended
      expect(outcome.code, outcome.stderr).toBe(0)
      const config = JSON.parse(readFileSync(join(runDir, 'config.json'), 'utf8'))
      expect(config.device).toBe(device === 'cpu' ? 'cpu' : 'cuda')
      losses.push(lastJson(outcome).trainLoss as number)
    }
    expect(losses[1]).toBeCloseTo(losses[0] as number, 3)
    expect(losses[2]).toBe(losses[1])
  })
})
