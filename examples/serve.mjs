/**
 * Serves predictions over HTTP while a worker thread trains: after each epoch the server takes the new weights, without
 * losing a request. Ctrl-C ends both; the worker leaves a checkpoint, which the next start serves and goes on from.
 *
 *   node examples/serve.mjs [--port 8080] [--run-dir runs/serve] [--epochs 20]
 *   curl --data-binary @seven.png http://localhost:8080/predict     {"label":7,"probabilities":[…]}
 *   curl http://localhost:8080/status                               {"epoch":3,"testTop1":95.3,"training":true}
 *
 * Images may be of any size, white on black like the digits. Decoding needs sharp: npm install sharp
 */
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { softmax, tensor, tidy, train } from 'igcnet'

if (isMainThread) await serve()
else await trainInWorker()

/** The worker: trains, and tells of each new model file. */
async function trainInWorker() {
  const { runDir, epochs } = workerData
  const config = train.withDefaults({
    depth: 8,
    primaryPartition: 16,
    secondaryPartition: 2,
    batchSize: 32,
    lr: 0.03, // with the default of 0.1 the first epochs go up and down, and all are served
    numEpochs: epochs,
    threads: 1,
  })
  const stop = new AbortController()
  parentPort.on('message', () => stop.abort())
  let epoch
  await train.train(config, {
    runDir,
    resume: existsSync(runDir) ? runDir : undefined,
    signal: stop.signal,
    onProgress: progress => {
      if (progress.kind === 'epoch') epoch = { epoch: progress.epoch + 1, testTop1: progress.testTop1 }
      if (progress.kind === 'checkpoint' && epoch) parentPort.postMessage({ ...epoch, path: progress.path })
    },
  })
  parentPort.close()
}

/** What the last whole epoch of a run brought; undefined before the first. */
function lastEpoch(runDir) {
  const metrics = join(runDir, 'metrics.jsonl')
  const row = existsSync(metrics) && readFileSync(metrics, 'utf8').trim().split('\n').at(-1)
  if (!row) return undefined
  const { epoch, testTop1 } = JSON.parse(row)
  return { epoch: epoch + 1, testTop1 }
}

async function serve() {
  const { default: sharp } = await import('sharp')
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '8080' },
      'run-dir': { type: 'string', default: 'runs/serve' },
      epochs: { type: 'string', default: '20' },
    },
  })
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { runDir: values['run-dir'], epochs: Number(values.epochs) },
  })

  /** What answers: passes of the network, and how good it is. */
  let model
  let status = { epoch: 0, testTop1: null, training: true }
  /** Answers with the weights of a model file from now on. */
  async function take(path, { epoch, testTop1 }) {
    const { net } = await train.loadNetwork(path)
    const before = model
    model = { net, inference: train.inference(net) }
    free(before) // computations that were enqueued keep what they need
    status = { ...status, epoch, testTop1 }
    console.log(`serving the weights of epoch ${epoch}: ${testTop1.toFixed(1)} % of the test images`)
  }
  worker.on('message', ({ path, ...found }) => take(path, found))
  worker.on('error', error => {
    console.error(`the training failed: ${error.message}`)
    process.exitCode = 1
  })
  worker.on('exit', () => (status = { ...status, training: false }))
  const before = lastEpoch(values['run-dir'])
  if (before) await take(join(values['run-dir'], 'last.safetensors'), before)

  function free(old) {
    old?.inference.dispose()
    old?.net.dispose()
  }

  /** A digit for the bytes of an image. */
  async function predict(bytes) {
    const pixels = await sharp(bytes).resize(32, 32).flatten().toColourspace('srgb').removeAlpha().raw().toBuffer()
    const values = Float32Array.from(pixels, byte => byte / 127.5 - 1)
    const logits = await model.inference.logits(values, [1, 32, 32, 3])
    const probabilities = await tidy(() => softmax(tensor(logits, [1, logits.length])).data())
    return { label: probabilities.indexOf(Math.max(...probabilities)), probabilities: [...probabilities] }
  }

  const server = createServer(async (request, response) => {
    const answer = (code, body) =>
      response.writeHead(code, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
    try {
      if (request.method === 'GET' && request.url === '/status') return answer(200, status)
      if (request.method !== 'POST' || request.url !== '/predict')
        return answer(404, { error: 'POST /predict or GET /status' })
      if (model === undefined) return answer(503, { error: 'no weights yet' })
      const chunks = []
      let size = 0
      for await (const chunk of request) {
        size += chunk.length
        if (size > 10e6) return answer(413, { error: 'images of at most 10 MB' })
        chunks.push(chunk)
      }
      answer(200, await predict(Buffer.concat(chunks)))
    } catch (error) {
      answer(400, { error: error.message })
    }
  })
  server.listen(Number(values.port), () => console.log(`listening on http://localhost:${server.address().port}`))

  const end = async () => {
    console.log('ending')
    server.close()
    server.closeIdleConnections()
    worker.postMessage('stop')
    if (status.training) await new Promise(resolve => worker.once('exit', resolve))
    free(model)
  }
  process.once('SIGINT', end)
  process.once('SIGTERM', end)
}
