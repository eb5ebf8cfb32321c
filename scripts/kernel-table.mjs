/**
 * `npm run docs:kernels`: builds the CUDA plug-in anew and writes docs/kernels/cuda-resources.md from what ptxas says of
 * each kernel: registers, spills, and how many threads a multiprocessor of sm_90 holds at the kernel's block size. The
 * dynamic shared memory of the fused kernels depends on the shape; that of three shapes of plain_igc is computed by the
 * rule of native/cuda/igc_plan.cu. Needs nvcc, no GPU. `--log FILE`: the output of a build that was made. Checked by test/unit/kernel-table.test.ts.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildCuda, buildFolder, findNvcc } from './build-cuda.mjs'
import { root } from './inputs.mjs'
import { isMain, main, SetupError } from './run-command.mjs'

/** Of a multiprocessor of compute capability 9.0 (CUDA C++ Programming Guide, table of technical specifications). */
const SM90 = {
  registers: 65_536,
  threads: 2048,
  blocks: 32,
  sharedBytes: 228 * 1024,
  registerUnit: 256,
  reserved: 1024,
}
const KERNEL = /Compiling entry function '(\w+)' for '(sm_\d+)'/
const SPILLS = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/
const REGISTERS = /Used (\d+) registers/

/**
 * What ptxas -v printed, by kernel.
 * @param {string} log
 * @param {string} architecture such as sm_90
 * @returns {{ symbol: string, registers: number, stack: number, spills: number }[]} by symbol
 */
export function parsePtxas(log, architecture) {
  const found = new Map()
  let kernel
  for (const line of log.split('\n')) {
    const start = KERNEL.exec(line)
    if (start) kernel = start[2] === architecture ? { symbol: start[1], registers: 0, stack: 0, spills: 0 } : undefined
    if (kernel === undefined) continue
    const spills = SPILLS.exec(line)
    if (spills) Object.assign(kernel, { stack: Number(spills[1]), spills: Number(spills[2]) + Number(spills[3]) })
    const registers = REGISTERS.exec(line)
    if (registers) found.set(kernel.symbol, { ...kernel, registers: Number(registers[1]) })
  }
  return [...found.values()].sort((a, b) => (a.symbol < b.symbol ? -1 : 1))
}

/**
 * Threads that a multiprocessor of sm_90 holds, as a share of its most.
 * @param {{ registers: number, threads: number, sharedBytes: number }} block registers of a thread, threads and shared
 *   memory of a block
 */
export function occupancy({ registers, threads, sharedBytes }) {
  const warps = Math.ceil(threads / 32)
  const ofWarp = Math.ceil((registers * 32) / SM90.registerUnit) * SM90.registerUnit
  const blocks = Math.min(
    SM90.blocks,
    Math.floor(SM90.threads / threads),
    Math.floor(Math.floor(SM90.registers / ofWarp) / warps),
    Math.floor(SM90.sharedBytes / (sharedBytes + SM90.reserved)),
  )
  return (blocks * warps * 32) / SM90.threads
}

/** `void f<A(1)>(B<C>)` without what follows the name: from the first bracket outside of <> on. */
function withoutArguments(name) {
  const text = name.replaceAll('(anonymous namespace)::', '')
  let depth = 0
  for (const [i, letter] of [...text].entries()) {
    if (letter === '<') depth++
    else if (letter === '>') depth--
    else if (letter === '(' && depth === 0) return text.slice(0, i)
  }
  return text
}

/** `map_kernel<Apply>` from its mangled name, where c++filt is there. */
function readable(symbols) {
  const { stdout, status } = spawnSync('c++filt', { input: symbols.join('\n'), encoding: 'utf8' })
  const names = status === 0 ? stdout.trim().split('\n') : symbols
  return names.map(name =>
    withoutArguments(name)
      .replace(/^void /, '')
      .replaceAll('igcnet::simt::', '')
      .replaceAll('igcnet::', '')
      .replaceAll(/\((int|bool)\)/g, ''),
  )
}

/** Threads of a block of the fused kernels, at most (igc_tile.h). */
export const FUSED_THREADS = 192

/**
 * Stages of plain_igc L24M2: the template arguments of the kernels, and the tiles, height by width, that igc_plan.cu takes at
 * batch 64 on a GPU with 132 multiprocessors (held to that by test/cuda/igc-plan.test.ts).
 */
export const stages = [
  { stage: 'L24M2, 48 channels', C: 48, V: 2, forward: [16, 16], weight: [16, 8], direct: true },
  { stage: 'L24M4, 96 channels', C: 96, V: 4, forward: [8, 8], weight: [8, 8], direct: false },
  { stage: 'L24M8, 192 channels', C: 192, V: 4, forward: [4, 8], weight: [4, 8], direct: false },
]

/**
 * Shared memory of a block of the fused kernels for a block of plain_igc, 3x3, stride 1, C channels, with tiles of
 * [height, width] pixels: igc_plan.cu.
 */
export function fusedBytes(kernel, C, [height, width]) {
  const input = Math.ceil(((height + 2) * (width + 2) * C) / 4) * 4
  const planes = height * width * C
  if (kernel === 'igc_backward_weight_kernel') return 4 * (input + 2 * planes)
  const sums = kernel === 'igc_backward_input_kernel' ? 2 * (C + 4 * FUSED_THREADS) : planes
  return 4 * (planes + Math.max(input, sums))
}

const percent = share => `${Math.round(100 * share)} %`

/** The page. @param {ReturnType<typeof parsePtxas>} kernels */
export function page(kernels, names, nvcc) {
  const threadsOf = name =>
    /^(softmax|cross_entropy_(forward|backward))/.test(name) ? 128 : name.startsWith('igc_') ? FUSED_THREADS : 256
  const rows = kernels.map(({ registers, stack, spills }, i) => {
    const full = occupancy({ registers, threads: threadsOf(names[i]), sharedBytes: 0 })
    return `| \`${names[i]}\` | ${registers} | ${stack} | ${spills} | ${percent(full)} |`
  })
  const fused = stages.flatMap(({ stage, C, V, forward, weight, direct }) =>
    [
      { kernel: 'igc_forward_kernel', tile: forward, last: `, ${direct}` },
      { kernel: 'igc_backward_weight_kernel', tile: weight, last: '' },
      { kernel: 'igc_backward_input_kernel', tile: forward, last: '' },
    ].map(({ kernel, tile, last }) => {
      const found = kernels[names.indexOf(`${kernel}<float, ${V}, true${last}>`)]
      if (found === undefined) throw new SetupError(`docs:kernels: ptxas named no ${kernel}<float, ${V}, true${last}>`)
      const sharedBytes = fusedBytes(kernel, C, tile)
      const share = occupancy({ registers: found.registers, threads: FUSED_THREADS, sharedBytes })
      return `| ${stage} | \`${kernel}\` | ${tile.join(' x ')} | ${(sharedBytes / 1024).toFixed(1)} | ${percent(share)} |`
    }),
  )
  return `# Resources of the CUDA kernels

Written by \`npm run docs:kernels\` from what ptxas of CUDA ${nvcc} says for sm_90: registers of a thread, bytes of its stack
frame, bytes of spilled registers, and the threads that a multiprocessor holds as a share of its 2048 (occupancy), without
shared memory. How the fused kernels work stands at the top of \`native/cuda/igc_tile.h\`. What a
GPU makes of it is in [Benchmarks](../benchmarks-cuda.md).

| kernel | registers | stack | spills | occupancy |
|---|---|---|---|---|
${rows.join('\n')}

The fused kernels of interleaved group convolutions keep a tile in shared memory, in f32 whatever the maps are stored in (KiB a
block, 192 threads; tiles in pixels at batch 64 on 132 multiprocessors; occupancy of those on maps of f32):

| block of plain_igc, 3x3 | kernel | tile | shared memory | occupancy |
|---|---|---|---|---|
${fused.join('\n')}
`
}

/** What a build of all kernels printed: of a new one, or the file behind --log. */
function buildLog(nvcc) {
  const option = process.argv.indexOf('--log')
  if (option > 0) return readFileSync(process.argv[option + 1], 'utf8')
  buildCuda(nvcc)
  const args = ['--build', buildFolder, '--target', 'igcnet_cuda', '--clean-first']
  const { stdout, stderr, status } = spawnSync('cmake', args, { encoding: 'utf8', maxBuffer: 1 << 28 })
  if (status !== 0) throw new SetupError(`docs:kernels: the build failed:\n${stderr}`)
  return stdout + stderr
}

if (isMain(import.meta.url)) {
  main(() => {
    const found = findNvcc()
    if (found === undefined) throw new SetupError('docs:kernels: nvcc was not found')
    const kernels = parsePtxas(buildLog(found), 'sm_90')
    const names = readable(kernels.map(({ symbol }) => symbol))
    // Symbols have a hash in them; names do not.
    const order = names.map((_, i) => i).sort((a, b) => (names[a] < names[b] ? -1 : 1))
    const inOrder = list => order.map(i => list[i])
    const text = page(inOrder(kernels), inOrder(names), found.version)
    writeFileSync(join(root, 'docs', 'kernels', 'cuda-resources.md'), text)
    console.log(`docs/kernels/cuda-resources.md: ${kernels.length} kernels`)
  })
}
