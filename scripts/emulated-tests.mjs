/**
 * Puts kernel tests into a folder where Node and the addon alone run them: one file and the lists of shapes, without the
 * shapes of more multiply-adds than an emulated processor can bear. `node scripts/emulated-tests.mjs FOLDER`; then
 * `SUITES=elementwise node FOLDER/dist/main.mjs`. Used by scripts/emulate-avx512, checked by test/emulated/bundle.test.ts.
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const MOST_MULTIPLY_ADDS = 600_000

const root = fileURLToPath(new URL('..', import.meta.url))

const outputs = (image, kernel, { stride, padding }) => Math.floor((image + 2 * padding - kernel) / stride) + 1

/** Of a convolution or an IGC block; other shapes are small. */
function multiplyAdds(shape) {
  const { N, H, W, C, K, R, S, L, M, groups } = shape
  if (R === undefined || K === undefined) return 0
  const inputs = (R * S * C) / (groups ?? L) + (M === undefined ? 0 : K / M)
  return N * outputs(H, R, shape) * outputs(W, S, shape) * K * inputs
}

const folder = process.argv[2]
if (folder === undefined) throw new Error('emulated-tests: expected a folder')
const [dist, release] = [join(folder, 'dist'), join(folder, 'build/Release')]
for (const made of [dist, release]) mkdirSync(made, { recursive: true })
await build({
  entryPoints: [join(root, 'test/emulated/main.ts')],
  outfile: join(dist, 'main.mjs'),
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  logLevel: 'warning',
  alias: { vitest: join(root, 'test/emulated/vitest.ts') },
  banner: { js: "import { createRequire as $require } from 'node:module'; const require = $require(import.meta.url);" },
})
const shapes = join(root, 'test/shapes')
for (const file of readdirSync(shapes).filter(name => name.endsWith('.json'))) {
  const all = JSON.parse(readFileSync(join(shapes, file), 'utf8'))
  const few = all.filter(shape => multiplyAdds(shape) <= MOST_MULTIPLY_ADDS)
  writeFileSync(join(dist, file), JSON.stringify(few))
}
copyFileSync(join(root, 'package.json'), join(folder, 'package.json'))
copyFileSync(join(root, 'build/Release/igcnet.node'), join(release, 'igcnet.node'))
