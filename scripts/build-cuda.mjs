/**
 * `npm run build:cuda`: builds the CUDA plug-in, build/Release/libigcnet_cuda.so, and libigcnet_simt.so, the same
 * kernels on the host, for the tests. Needs nvcc of CUDA 13, found through CUDACXX, CUDA_HOME or the path; no GPU. The
 * headers of cuDNN 9 and cuBLAS 13 come from the toolkit or the system where those have them, and else, with the
 * libraries, as pip wheels into build/cuda-packages. Options: --host (only the kernels on the host), --if-possible
 * (without nvcc, only those, visibly), --verbose. IGCNET_WERROR=1 makes warnings errors: also registers that a kernel
 * spills. What is up to date is not built again. Plain Node, no dependencies.
 * Checked by every test of test/cuda, which need what it builds.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { dropForeignCache, hashInputs, readStamps, root, writeStamp } from './inputs.mjs'
import { isMain, main, runCommand, SetupError, say } from './run-command.mjs'

const CUDA_MAJOR = 13
/** Wheels, pinned: the releases that the plug-in was compiled with last. */
const WHEELS = ['nvidia-cudnn-cu13==9.24.0.43', 'nvidia-cublas==13.1.1.3']
const packages = join(root, 'build', 'cuda-packages')
export const buildFolder = join(root, 'build', 'cuda')
const releaseFolder = join(root, 'build', 'Release')
const inputPaths = ['native/core', 'native/cuda', 'CMakeLists.txt', 'scripts/build-cuda.mjs']
const warningsAreErrors = process.env.IGCNET_WERROR === '1'

/** The path of nvcc and its version, or undefined. */
export function findNvcc() {
  const { CUDACXX, CUDA_HOME, CUDA_PATH } = process.env
  const folders = [CUDA_HOME, CUDA_PATH, '/usr/local/cuda'].filter(Boolean)
  for (const nvcc of [CUDACXX, ...folders.map(folder => join(folder, 'bin', 'nvcc')), 'nvcc'].filter(Boolean)) {
    const { stdout, status } = spawnSync(nvcc, ['--version'], { encoding: 'utf8' })
    const version = /release (\d+)\.(\d+)/.exec(stdout ?? '')
    if (status === 0 && version) return { nvcc, version: `${version[1]}.${version[2]}`, major: Number(version[1]) }
  }
  return undefined
}

/** The first of these folders with this file. */
const folderOf = (file, folders) => folders.find(folder => existsSync(join(folder, file)))

/** The folders of cudnn.h and cublas_v2.h; brings what is missing as wheels. @throws {SetupError} */
function headerFolders(nvcc) {
  const toolkit = join(dirname(dirname(nvcc)), 'include')
  const system = [toolkit, '/usr/include', '/usr/local/cuda/include', '/usr/include/x86_64-linux-gnu']
  const find = () => ({
    cudnn: folderOf('cudnn.h', [...system, join(packages, 'nvidia', 'cudnn', 'include')]),
    cublas: folderOf('cublas_v2.h', [...system, join(packages, 'nvidia', 'cu13', 'include')]),
  })
  const found = find()
  if (found.cudnn && found.cublas) return found
  say('bringing cuDNN and cuBLAS as pip wheels (1 GB)')
  const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', packages, '--no-deps']
  runCommand('installing the wheels of cuDNN and cuBLAS', 'python3', [...args, '--upgrade', ...WHEELS])
  const brought = find()
  if (brought.cudnn && brought.cublas) return brought
  throw new SetupError(`the wheels ${WHEELS.join(' and ')} brought no cudnn.h and cublas_v2.h into ${packages}`)
}

function hashOf(target, compiler) {
  return hashInputs(inputPaths, [target, process.platform, process.arch, compiler])
}

function isCurrent(target, file, hash) {
  const stamp = readStamps()[target]
  if (stamp === undefined || stamp.hash !== hash || !existsSync(join(releaseFolder, file))) return false
  return stamp.warningsAreErrors || !warningsAreErrors
}

/** Configures build/cuda and builds a target of it. */
function build(target, options) {
  mkdirSync(releaseFolder, { recursive: true })
  const shared = [`-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=${releaseFolder}`, '-DCMAKE_BUILD_TYPE=Release']
  dropForeignCache(buildFolder)
  const werror = `-DIGCNET_WERROR=${warningsAreErrors ? 'ON' : 'OFF'}`
  runCommand(`configuring ${target}`, 'cmake', ['-S', root, '-B', buildFolder, ...shared, werror, ...options])
  const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(Math.min(availableParallelism(), 8))
  runCommand(`building ${target}`, 'cmake', ['--build', buildFolder, '--target', target, '--parallel', jobs])
}

/** Builds libigcnet_simt.so unless it is up to date. */
export function buildHostKernels() {
  const hash = hashOf('host', '')
  if (isCurrent('simt', 'libigcnet_simt.so', hash)) return
  say('building the CUDA kernels for the host')
  build('igcnet_simt', ['-DIGCNET_HOST_SIMT=ON'])
  writeStamp('simt', { hash, warningsAreErrors })
}

/** Builds libigcnet_cuda.so unless it is up to date. @throws {SetupError} */
export function buildCuda({ nvcc, version, major }) {
  if (major < CUDA_MAJOR)
    throw new SetupError(`nvcc of CUDA ${CUDA_MAJOR} or newer is needed, but ${nvcc} is ${version}`)
  const hash = hashOf('cuda', version)
  if (isCurrent('cuda', 'libigcnet_cuda.so', hash)) return
  const folders = headerFolders(nvcc)
  say(`building the CUDA plug-in with nvcc ${version}`)
  const headers = [`-DIGCNET_CUDNN_INCLUDE=${folders.cudnn}`, `-DIGCNET_CUBLAS_INCLUDE=${folders.cublas}`]
  build('igcnet_cuda', ['-DIGCNET_CUDA=ON', `-DCMAKE_CUDA_COMPILER=${nvcc}`, ...headers])
  writeStamp('cuda', { hash, warningsAreErrors })
}

if (isMain(import.meta.url)) {
  main(() => {
    if (process.platform !== 'linux') {
      if (!process.argv.includes('--if-possible')) throw new SetupError('the CUDA plug-in is for Linux')
      return say('the CUDA plug-in is for Linux: NOT built')
    }
    buildHostKernels()
    if (process.argv.includes('--host')) return
    const found = findNvcc()
    const usable = found !== undefined && found.major >= CUDA_MAJOR
    if (usable || (found !== undefined && !process.argv.includes('--if-possible'))) return buildCuda(found)
    if (!process.argv.includes('--if-possible')) {
      throw new SetupError(`nvcc of CUDA ${CUDA_MAJOR} was not found: set CUDA_HOME to the folder of the toolkit`)
    }
    say(`nvcc of CUDA ${CUDA_MAJOR} was not found: the CUDA plug-in was NOT built, its kernels only for the host`)
  })
}
