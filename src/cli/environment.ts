/**
 * The environment variables of igcnet, in one table. test/cli/doctor.test.ts looks for every one of them, and for no
 * other, in the sources.
 */

/** Name and meaning. */
export const VARIABLES: Readonly<Record<string, string>> = {
  IGCNET_THREADS: 'threads of the device cpu unless told otherwise (default: all cores)',
  IGCNET_SIMD: 'avx512, avx2 or baseline: the widest instruction set that our kernels may use',
  IGCNET_PROCESSOR: 'baseline: the processor is taken for one without AVX2, for tests',
  IGCNET_CUDA_PLUGIN: 'path of the CUDA plug-in (default: libigcnet_cuda.so beside the addon, or in its package)',
  IGCNET_CUDA_DRIVER: 'name or path of the NVIDIA driver (default: libcuda.so.1)',
  IGCNET_CUDNN: 'name or path of cuDNN (default: libcudnn.so.9 of the system, the toolkit or a Python)',
  IGCNET_CUBLAS: 'name or path of cuBLAS (default: libcublas.so.13 of the system, the toolkit or a Python)',
  IGCNET_CUDA_IGC: 'fused, cudnn or auto: how the device cuda computes interleaved group convolutions (default: auto)',
  IGCNET_CUDA_TUNING:
    'the file in which the device cuda keeps which way is faster, or none: nothing is measured (default: in the cache folder)',
  IGCNET_TF32: '1: the device cuda may compute convolutions and products of matrices in TF32',
  IGCNET_DEBUG: '1: the command line prints the stack of an error',
  IGCNET_DEBUG_MEMORY: '1: fences around every block of memory, and NaN in fresh ones',
  IGCNET_NATIVE: 'path of another build of the native addon, tried first',
  IGCNET_DATA: 'folder of the CIFAR files, or the one that it is in, for tests and scripts/gpu-check',
  IGCNET_CIFAR_EPOCHS: 'epochs of scripts/gpu-check on CIFAR-10 (default: 8)',
  IGCNET_CIFAR_EXAMPLES: 'training examples of scripts/gpu-check on CIFAR-10 (default: all)',
  IGCNET_FUZZ_SEED: 'seed of the calls that test/binding/fuzz.test.ts makes (default: the time)',
  IGCNET_FUZZ_RUNS: 'how many calls it makes (default: 4000)',
  IGCNET_BENCH_DEVICE:
    'what bench:rivals compares, of igcnet and of PyTorch, and bench:kernels measures: cpu or cuda (default: cpu)',
  IGCNET_BENCH_PRECISION:
    'in what bench:rivals stores maps, of igcnet and of PyTorch: f32, on cuda bf16 or f16 (default: f32)',
  IGCNET_TEST_GPU: '1: the tests of the device cuda that run on the host otherwise use the GPU',
  IGCNET_TEST_DEVICE: 'the device that the kernel tests compare with reference (default: cpu)',
  IGCNET_PYTHON: 'a Python with PyTorch, for bench:rivals and scripts/gpu-check (default: python3)',
  IGCNET_VERBOSE: '1: the set-up prints what its commands print',
  IGCNET_WERROR: '1: the native builds take warnings, and registers that a CUDA kernel spills, for errors',
}
