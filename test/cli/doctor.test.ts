/** `igcnet doctor`, also where the addon does not load. */
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { VARIABLES } from '../../src/cli/environment.ts'
import type { MachineReport } from '../../src/cli/machine.ts'
import { igcnet, lastJson, root, start, temporaryFolder } from './command-line.ts'

// Whether or not this machine has a GPU.
const NOWHERE = join(root, 'build', 'no-such-plug-in.so')
const NO_PLUGIN = `the plug-in ${NOWHERE} is not there (the value of IGCNET_CUDA_PLUGIN)`
process.env.IGCNET_CUDA_PLUGIN = NOWHERE

afterEach(() => void vi.unstubAllEnvs())

test('what it finds on this machine', async () => {
  const { code, stdout, stderr } = await igcnet('doctor')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const lines = stdout.split('\n')
  const sections = ['Versions', 'Machine', 'Native addon', 'Devices', 'Data sets', 'Environment variables']
  expect(lines.filter(line => /^\S/.test(line))).toEqual(sections)
  expect(lines).toContainEqual(expect.stringMatching(new RegExp(`^ {2}Node +${process.version}, Node-API \\d+$`)))
  expect(lines).toContainEqual(expect.stringMatching(/^ {2}addon +loaded from .*igcnet\.node$/))
  expect(lines).toContainEqual(expect.stringMatching(/^ {2}kernels +(avx512|avx2|neon|baseline), \d+ floats a vector$/))
  expect(lines).toContainEqual(expect.stringMatching(/^ {2}oneDNN +\d+\.\d+\.\d+ \(.+\)$/))
  expect(lines).toContainEqual(expect.stringMatching(/^ {2}cpu +works, \d+ threads?$/))
  expect(lines).toContainEqual(expect.stringMatching(/^ {2}reference +works, 1 thread$/))
  expect(lines).toContain(`  cuda                 not available: ${NO_PLUGIN}`)
  expect(lines).toContain('  digits               found')
})

test('--json: the same as one object', async () => {
  vi.stubEnv('IGCNET_THREADS', '1')
  vi.stubEnv('IGCNET_THREDS', '2')
  const outcome = await igcnet('doctor', '--json', '--data-dir', temporaryFolder())
  expect(outcome).toMatchObject({ code: 0, stderr: '' })
  expect(outcome.stdout.trimEnd()).not.toContain('\n')
  const report = lastJson(outcome) as unknown as MachineReport
  expect(report.versions.node).toBe(process.version)
  expect(report.addon.loaded).toBe(true)
  expect(report.devices.cpu).toEqual({ works: true, threads: 1 })
  expect(report.kernels).toMatchObject({ simd: expect.stringMatching(/^(avx512|avx2|neon|baseline)$/) })
  expect(report.devices.cuda).toEqual({ works: false, reason: NO_PLUGIN })
  expect(report.memory.free).toBeGreaterThan(0)
  expect(report.environment).toMatchObject({ IGCNET_THREADS: '1', IGCNET_THREDS: '2' })
  expect(report.data.digits).toEqual({ found: true })
  expect(report.data.cifar10).toEqual({ found: false, reason: expect.stringContaining('data_batch_1.bin') })
  expect((await igcnet('doctor')).stdout).toContain('igcnet does not know it: did you mean IGCNET_THREADS?')
})

test('a data set that is complete is found', async () => {
  const folder = join(temporaryFolder(), 'cifar-100-binary')
  mkdirSync(folder)
  writeFileSync(join(folder, 'train.bin'), new Uint8Array(50_000 * 3074))
  writeFileSync(join(folder, 'test.bin'), new Uint8Array(10_000 * 3074))
  const { data } = lastJson(await igcnet('doctor', '--json', '--data-dir', folder)) as unknown as MachineReport
  expect(data.cifar100).toEqual({ found: true })
  writeFileSync(join(folder, 'test.bin'), new Uint8Array(5))
  const again = lastJson(await igcnet('doctor', '--json', '--data-dir', folder)) as unknown as MachineReport
  expect(again.data.cifar100).toEqual({ found: false, reason: expect.stringContaining('but received 5') })
})

/** A copy of the package without the built addon. */
function copyWithoutAddon(): string {
  const folder = temporaryFolder()
  for (const part of ['src', 'data', 'package.json', 'CMakeLists.txt'])
    cpSync(join(root, part), join(folder, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

test('without the addon: it says why, and all the rest', async () => {
  const cwd = copyWithoutAddon()
  const entry = join(cwd, 'src/cli/main.ts')
  const { code, stdout, stderr } = await start(['doctor'], { cwd, entry }).ended
  expect(code).toBe(1)
  expect(stderr).toBe('igcnet: doctor: the native addon is not loaded\n')
  expect(stdout).toMatch(
    /addon +not loaded: igcnet: the native addon could not be loaded on .*not there.*npm run setup/,
  )
  expect(stdout).toMatch(/cpu +not available: the native addon is not loaded/)
  expect(stdout).toMatch(/memory +[\d.]+ GiB, [\d.]+ GiB free/)
  expect(stdout).toMatch(/digits +found/)

  mkdirSync(join(cwd, 'build/Release'), { recursive: true })
  writeFileSync(join(cwd, 'build/Release/igcnet.node'), 'not a library')
  const damaged = await start(['doctor', '--json'], { cwd, entry }).ended
  expect(damaged.code).toBe(1)
  const { addon } = lastJson(damaged) as unknown as MachineReport
  expect(addon).toEqual({
    loaded: false,
    reason: expect.stringMatching(/igcnet\.node: .*(file too short|invalid|header)/),
  })

  const train = await start(['train'], { cwd, entry }).ended
  expect(train).toMatchObject({ code: 1, stdout: '' })
  expect(train.stderr).toMatch(/^igcnet: the native addon could not be loaded/)
  expect(train.stderr.trimEnd()).not.toContain('\n')
})

/** Every file below the folders that may read variables. */
function* sources(folder: string): Iterable<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === 'node_modules') continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* sources(path)
    else if (path !== join(root, 'src/cli/environment.ts')) yield readFileSync(path, 'utf8')
  }
}

test('the table of variables is that of the sources', () => {
  // In scripts of the shell ${NAME:-}; ${NAME} alone is CMake's.
  const read = /(?:process\.env\.|getenv\("|has_value\("|environment\("|\.env\('|\$\{(?=\w+:-))(IGCNET_[A-Z0-9_]+)/g
  const found = ['src', 'native', 'scripts', 'benchmarks', 'test']
    .flatMap(folder => [...sources(join(root, folder))])
    .flatMap(text => [...text.matchAll(read)].map(match => match[1]))
  expect([...new Set(found)].sort()).toEqual(Object.keys(VARIABLES).sort())
})
