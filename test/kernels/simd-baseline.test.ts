/** The kernels of `cpu` held to the instruction set `baseline`: ours by IGCNET_SIMD, oneDNN's by its own variable. */
process.env.IGCNET_SIMD = 'baseline'
process.env.DNNL_MAX_CPU_ISA = 'SSE41' // the name up to oneDNN 2
process.env.ONEDNN_MAX_CPU_ISA = 'SSE41'
const { testInstructionSet } = await import('./instruction-set.ts')
testInstructionSet()
