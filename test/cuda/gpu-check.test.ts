/**
 * scripts/gpu-check without a GPU: the sanitizer's tests, and the steps, with stubs in place of all that it runs: npm and
 * node work, npx fails for a file or sleeps, as a case wants.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { root } from '../cli/command-line.ts'
import { temporaryDirectory } from '../support/data-samples.ts'
import { hostPlugin } from './on-host.ts'

const folder = temporaryDirectory()
afterAll(folder.remove)
const text = readFileSync(join(root, 'scripts/gpu-check'), 'utf8')

it('the sanitizer sees a few tests of every file', () => {
  const lines = text.match(/^(fused|rest|pattern)\+?=.*$/gm) ?? []
  const print = `${lines.join('\n')}\nprintf '%s\\n' "$pattern" "\${fused[@]}" "\${rest[@]}"`
  const [pattern = '', ...names] = execFileSync('bash', ['-c', print], { encoding: 'utf8' }).trimEnd().split('\n')
  expect(names.length).toBeGreaterThan(10)
  const files = names.map(name => `test/kernels/${name}.test.ts`)
  const vitest = [join(root, 'node_modules/vitest/vitest.mjs'), 'list', '--json', '--typecheck.enabled=false']
  const env = { ...process.env, IGCNET_CUDA_PLUGIN: hostPlugin, IGCNET_TEST_DEVICE: 'cuda' }
  const listed = execFileSync(process.execPath, [...vitest, '-t', pattern, ...files], { cwd: root, env })
  const counts = new Map(files.map(file => [join(root, file), 0]))
  for (const { file } of JSON.parse(listed.toString()) as { file: string }[]) {
    counts.set(file, (counts.get(file) ?? 0) + 1)
  }
  for (const [file, count] of counts) {
    expect(count, file).toBeGreaterThan(5)
    expect(count, file).toBeLessThan(250)
  }
})

mkdirSync(join(folder.path, 'scripts'))
mkdirSync(join(folder.path, 'bin'))
mkdirSync(join(folder.path, 'native/cuda'), { recursive: true })
for (const path of ['scripts/gpu-check', 'native/cuda/cuda_libraries.h'])
  cpSync(join(root, path), join(folder.path, path))
const stub = (name: string, body: string) => {
  const path = join(folder.path, 'bin', name)
  writeFileSync(path, `#!/bin/sh\n${body}\n`)
  chmodSync(path, 0o755)
}
for (const name of ['npm', 'node', 'python']) stub(name, 'exit 0')
// It keeps what it was called with, fails where FAILS is part of that, and takes forever where SLEEPS is.
stub(
  'npx',
  'echo "$IGCNET_CUDA_IGC $*" >>calls; case "$*" in *$FAILS*) exit 1;; *$SLEEPS*) sleep 100 & echo $! >sleeps; wait;; esac',
)
stub(
  'compute-sanitizer',
  `echo "sanitizer $IGCNET_CUDA_IGC $IGCNET_CUDA_TUNING $*" >>calls
   echo "========= ERROR SUMMARY: $SANITIZED" >$(echo "$*" | sed 's/.*--log-file \\([^ ]*\\)%p.*/\\1/')1.txt`,
)
const env = (more: Record<string, string>) => ({
  ...process.env,
  ...{ PATH: `${join(folder.path, 'bin')}:${process.env.PATH}`, IGCNET_PYTHON: 'python', IGCNET_DATA: '' },
  ...{
    IGCNET_CUDA_IGC: '',
    IGCNET_CUDA_TUNING: '',
    FAILS: 'nothing',
    SLEEPS: 'nothing',
    SANITIZED: '0 errors',
    ...more,
  },
})
const script = join(folder.path, 'scripts/gpu-check')
function check(argv: string[], more: Record<string, string> = {}) {
  writeFileSync(join(folder.path, 'calls'), '')
  const { status, stdout, stderr } = spawnSync('bash', [script, ...argv], { env: env(more), encoding: 'utf8' })
  const passed = [...stdout.matchAll(/^gpu-check: (.*): passed/gm)].map(match => match[1])
  return { status, stdout, stderr, passed, calls: readFileSync(join(folder.path, 'calls'), 'utf8') }
}

it('takes all steps, what matters most first', () => {
  const quick = ['build', 'device', 'kernels', 'network', 'half', 'memory', 'sanitizer']
  const { status, stdout, passed, calls } = check([])
  expect(status, stdout).toBe(0)
  expect(passed).toEqual([...quick, 'benchmarks', 'rooflines', 'sanitizer-rest'])
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('gpu-check: all passed')
  expect(calls).toContain('test/kernels/igc-block test/kernels/sgd-step\n')
  expect(calls.match(/^sanitizer fused none /gm)?.length).toBe(6)
  expect(calls).toMatch(/^fused vitest run .* test\/kernels\/conv2d$/m)
  expect(check([], { IGCNET_DATA: 'data' }).passed).toEqual([
    ...quick,
    'cifar',
    'benchmarks',
    'rooflines',
    'sanitizer-rest',
  ])
})

it('takes steps by name, and refuses other names', () => {
  expect(check(['--only', 'rooflines,half']).passed).toEqual(['build', 'device', 'rooflines', 'half'])
  const names = 'kernels network half memory sanitizer cifar benchmarks rooflines sanitizer-rest long'
  for (const [argv, received] of [
    [['--only', 'half,halves'], 'halves'],
    [['--only', 'half,,network'], ''],
    [['--only', 'build'], 'build'],
    [['--only'], 'nothing'],
  ] as const) {
    const stderr = `gpu-check: --only: expected some of ${names} but received ${received}\n`
    expect(check([...argv])).toMatchObject({ status: 2, stdout: '', stderr })
  }
  expect(check(['--long'])).toMatchObject({ status: 2, stderr: 'gpu-check: expected --only but received --long\n' })
})

it('goes on behind what fails, and says what failed', () => {
  const contest = check(['--only', 'benchmarks,half'], { FAILS: 'infer:' })
  expect(contest).toMatchObject({ status: 1, passed: ['build', 'device', 'half'] })
  expect(contest.stdout).toContain('gpu-check: FAILED: benchmarks; \n')
  expect(contest.calls.match(/rivals/g)?.length).toBe(4)
  const data = check(['--only', 'cifar'])
  expect(data).toMatchObject({ status: 1, passed: ['build', 'device'] })
  expect(data.stdout).toContain('expected the folder of the CIFAR-10 files in IGCNET_DATA but received nothing\n')
})

it('keeps the tables of earlier calls, but for those of another day or device', () => {
  const tables = join(folder.path, 'build/gpu-check/benchmarks.txt')
  const headings = () => readFileSync(tables, 'utf8').match(/^.*(batch \d+|CIFAR-10.*):$/gm)
  mkdirSync(join(tables, '..'), { recursive: true })
  writeFileSync(tables, '2017-10-22\nanother device\nPyTorch 0.2\n\nf32, batch 1:\n')
  check(['--only', 'benchmarks'])
  const first = ['f32, batch 64:', 'f32, batch 64:', 'f32, batch 512:', 'bf16, batch 64:']
  expect(headings()).toEqual(first)
  check(['--only', 'half,long'])
  check(['--only', 'cifar'], { IGCNET_DATA: 'data', FAILS: 'train' })
  expect(headings()).toEqual([...first, 'f32, batch 64:', 'f32, batch 512:'])
  check(['--only', 'cifar'], { IGCNET_DATA: 'data' })
  expect(headings()?.at(-1)).toMatch(/^CIFAR-10, 50000 images for training, .* 8 epochs:$/)
})

it('a sanitizer that found something, or saw nothing, has failed; what earlier ones found does not count', () => {
  const results = join(folder.path, 'build/gpu-check')
  mkdirSync(results, { recursive: true })
  writeFileSync(join(results, 'fused-memcheck-9.txt'), 'ERROR SUMMARY: 7 errors')
  expect(check(['--only', 'sanitizer']).passed).toContain('sanitizer')
  expect(existsSync(join(results, 'fused-memcheck-9.txt'))).toBe(false)
  expect(check(['--only', 'sanitizer'], { SANITIZED: '3 errors' }).passed).not.toContain('sanitizer')
})

it('says what failed when it is ended, and leaves nothing running', async () => {
  const child = spawn('bash', [script, '--only', 'kernels,half,network'], {
    env: env({ FAILS: 'conv2d', SLEEPS: 'simt-half' }),
  })
  let output = ''
  child.stdout.on('data', data => {
    output += data
    if (output.includes('gpu-check: half\n')) setTimeout(() => child.kill(), 500)
  })
  const code = await new Promise(resolve => child.on('close', resolve))
  expect(code).toBe(1)
  expect(output).toContain('gpu-check: FAILED: kernels; ended by a signal in this step: half; \n')
  const file = `/proc/${Number(readFileSync(join(folder.path, 'sleeps'), 'utf8'))}/stat`
  const runs = () => existsSync(file) && !readFileSync(file, 'utf8').includes(') Z ') // one that nobody waits for
  await expect.poll(runs, { timeout: 5000 }).toBe(false)
})

it('builds a cuDNN that takes no convolution', () => {
  check(['--only', 'kernels'])
  const main = `
    #include <dlfcn.h>
    #include <stdio.h>
    int main(int argc, char** argv) {
      void* library = dlopen(argv[1], RTLD_NOW);
      for (int i = 2; i < argc; ++i) printf("%ld ", ((long (*)(void))dlsym(library, argv[i]))());
    }`
  const program = join(folder.path, 'main')
  execFileSync('cc', ['-xc', '-o', program, '-', '-ldl'], { input: main })
  const functions = ['cudnnGetVersion', 'cudnnCreate', 'cudnnSetStream', 'cudnnCreateTensorDescriptor']
  const library = join(folder.path, 'build/gpu-check/libcudnn-refusing.so')
  const said = execFileSync(program, [library, ...functions, 'cudnnConvolutionForward'], { encoding: 'utf8' })
  expect(said.trim()).toBe('90000 0 0 3000 3000')
})
