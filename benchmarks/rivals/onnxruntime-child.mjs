/**
 * onnxruntime-node as a contestant: reads one JSON command a line, answers with one JSON line; see contestant.ts for the
 * commands. Arguments: the number of threads; a Python with PyTorch, onnx and onnxscript, which writes the ONNX file.
 * Checked by main.ts, which compares the results of all contestants.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { probe, values } from './values.ts'

const [threads, python] = [Number(process.argv[2]), process.argv[3]]
const script = fileURLToPath(new URL('export_onnx.py', import.meta.url))
const version = JSON.parse(
  readFileSync(new URL('node_modules/onnxruntime-node/package.json', import.meta.url), 'utf8'),
).version

async function load(rivalCase) {
  const folder = mkdtempSync(join(tmpdir(), 'igcnet-onnx-'))
  try {
    const [input, model] = [join(folder, 'case.json'), join(folder, 'network.onnx')]
    writeFileSync(input, JSON.stringify(rivalCase))
    const { status, stderr } = spawnSync(python, [script, input, model], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${python} could not write the ONNX file: ${stderr.trim().split('\n').at(-1)}`)
    return await InferenceSession.create(model, {
      executionProviders: ['cpu'],
      graphOptimizationLevel: 'all',
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The images of values.ts, which count in the order of NHWC, in the order of NCHW. */
function images(count) {
  const source = values(count * 32 * 32 * 3, 1)
  const target = new Float32Array(source.length)
  for (let i = 0; i < source.length; i++) {
    const [n, pixel, c] = [Math.floor(i / 3072), Math.floor(i / 3) % 1024, i % 3]
    target[n * 3072 + c * 1024 + pixel] = source[i]
  }
  return new Tensor('float32', target, [count, 3, 32, 32])
}

let session
let run

async function prepare(rivalCase) {
  await session?.release()
  session = await load(rivalCase)
  const feeds = { images: images(rivalCase.batchSize) }
  run = async count => {
    const start = performance.now()
    for (let i = 0; i < count; i++) await session.run(feeds)
    return performance.now() - start
  }
  const { logits } = await session.run(feeds)
  return { logits: probe(logits.data) }
}

async function answer(request) {
  if (request.command === 'version') return { version }
  if (request.command === 'window') return { ms: await run(request.count) }
  if (request.command === 'prepare') return { results: await prepare(request.case) }
  throw new Error(`no command ${request.command} for onnxruntime-node`)
}

for await (const line of createInterface({ input: process.stdin })) {
  const reply = await answer(JSON.parse(line)).catch(error => ({ error: error.message }))
  process.stdout.write(`${JSON.stringify(reply)}\n`)
}
