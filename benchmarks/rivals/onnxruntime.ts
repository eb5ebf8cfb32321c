/**
 * onnxruntime-node, installed on demand from benchmarks/rivals/package.json beside it: igcnet itself does not depend on
 * it. Checked by `npm run bench:rivals -- --cases infer`.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('.', import.meta.url))

/** Installs it where it is missing. Its install script, which would download CUDA libraries, is told not to. */
export function ensureOnnxruntime(): void {
  if (existsSync(`${folder}/node_modules/onnxruntime-node/package.json`)) return
  process.stderr.write('bench:rivals: installing onnxruntime-node\n')
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' }
  const { status } = spawnSync('npm', ['install', '--no-package-lock', '--no-audit', '--no-fund'], {
    cwd: folder,
    env,
    stdio: 'inherit',
  })
  if (status !== 0) {
    throw new Error(`bench:rivals: npm install failed in ${folder}; leave onnxruntime-node out with --contestants`)
  }
}
