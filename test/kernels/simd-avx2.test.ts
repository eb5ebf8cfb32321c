/** The kernels of `cpu` held to the instruction set `avx2`: ours by IGCNET_SIMD, oneDNN's by its own variable. */
process.env.IGCNET_SIMD = 'avx2'
process.env.DNNL_MAX_CPU_ISA = 'AVX2' // the name up to oneDNN 2
process.env.ONEDNN_MAX_CPU_ISA = 'AVX2'
const { testInstructionSet } = await import('./instruction-set.ts')
testInstructionSet()
