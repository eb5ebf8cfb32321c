/**
 * Runs fuzz.ts in this process: `fuzz-child.ts SEED RUNS LOG [WORKERS]`, with WORKERS in as many worker threads at once.
 * The file LOG has the call that runs, so that a crash can be told. Also by hand, with a sanitizer for example:
 *   LD_PRELOAD=$(gcc -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 IGCNET_NATIVE=PATH \
 *     node --import tsx test/binding/fuzz-child.ts 1 20000 /tmp/log
 */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { isMainThread, Worker } from 'node:worker_threads'

const [seed = '1', runs = '1000', log = '', workers = '0'] = process.argv.slice(2)

async function main(): Promise<void> {
  const { fuzz } = await import('./fuzz.ts')
  const file = openSync(log, 'w')
  await fuzz(Number(seed), Number(runs), call => {
    ftruncateSync(file)
    writeSync(file, call, 0)
  })
  closeSync(file)
}

function inWorker(number: number): Promise<void> {
  const argv = [String(Number(seed) + number), runs, `${log}.${number}`]
  const worker = new Worker(new URL('./fuzz-worker.mjs', import.meta.url), { argv })
  return new Promise((resolve, reject) => {
    worker.once('error', reject)
    worker.once('exit', code => (code === 0 ? resolve() : reject(new Error(`worker ${number}: exit code ${code}`))))
  })
}

if (isMainThread && Number(workers) > 0) {
  await Promise.all(Array.from({ length: Number(workers) }, (_, number) => inWorker(number)))
} else {
  await main()
}
if (isMainThread) console.log('fuzz: passed')
