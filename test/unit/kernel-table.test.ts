/** The table of the CUDA kernels' resources: what is read from ptxas, and the arithmetic of occupancy. */
import { expect, it } from 'vitest'

const { fusedBytes, occupancy, page, parsePtxas } = await import(
  `${new URL('../../scripts/kernel-table.mjs', import.meta.url)}`
)

const kernel = (name: string, architecture: string, registers: number, spills = 0) => `
ptxas info    : Compiling entry function '${name}' for '${architecture}'
ptxas info    : Function properties for ${name}
    16 bytes stack frame, ${spills} bytes spill stores, ${spills} bytes spill loads
ptxas info    : Used ${registers} registers, used 1 barriers`

it('reads the kernels of one architecture', () => {
  const log = kernel('b', 'sm_90', 40) + kernel('a', 'sm_80', 32) + kernel('a', 'sm_90', 255, 8)
  expect(parsePtxas(log, 'sm_90')).toEqual([
    { symbol: 'a', registers: 255, stack: 16, spills: 16 },
    { symbol: 'b', registers: 40, stack: 16, spills: 0 },
  ])
})

it('computes occupancy as the occupancy calculator does', () => {
  expect(occupancy({ registers: 32, threads: 256, sharedBytes: 0 })).toBe(1)
  expect(occupancy({ registers: 64, threads: 256, sharedBytes: 0 })).toBe(0.5)
  expect(occupancy({ registers: 65, threads: 256, sharedBytes: 0 })).toBe(0.375) // 72 registers: 28 warps
  expect(occupancy({ registers: 32, threads: 128, sharedBytes: 100 * 1024 })).toBe(0.125) // two blocks
  expect(occupancy({ registers: 32, threads: 32, sharedBytes: 0 })).toBe(0.5) // 32 blocks
})

it('knows the shared memory of the fused kernels', () => {
  // 10 x 10 pixels of input, 8 x 8 of output; 16 x 8 of output and 18 x 10 of input
  expect(fusedBytes('igc_forward_kernel', 48, [8, 8])).toBe(4 * (4800 + 3072))
  expect(fusedBytes('igc_backward_input_kernel', 48, [8, 8])).toBe(4 * (4800 + 3072))
  expect(fusedBytes('igc_backward_weight_kernel', 48, [16, 8])).toBe(4 * (8640 + 2 * 6144))
  expect(fusedBytes('igc_backward_input_kernel', 4, [1, 8])).toBe(4 * (32 + 2 * (4 + 4 * 192)))
})

it('fails when a fused kernel is missing', () => {
  expect(() => page([], [], '13.0')).toThrow('ptxas named no igc_forward_kernel<float, 2, true, true>')
})
