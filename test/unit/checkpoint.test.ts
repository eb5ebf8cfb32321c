/**
 * Checkpoints: what is saved is loaded; a full disk and a crash at every single operation leave a whole pair of files;
 * damaged, foreign and mixed files are errors that say what is wrong. With killed processes: test/train/resume.test.ts.
 */
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { DataError } from '../../src/errors.ts'
import {
  BEST,
  type Checkpoint,
  folderOf,
  LAST,
  LAST_STATE,
  loadCheckpoint,
  readModel,
  saveBest,
  saveCheckpoint,
  settle,
  storeModel,
} from '../../src/train/checkpoint.ts'
import { withDefaults } from '../../src/train/config.ts'
import { temporary } from '../../src/train/disk.ts'
import { buildNetwork, readTensors, restoreNetwork } from '../../src/train/network.ts'
import { encodeSafetensors, readSafetensors, type Stored, type StoredTensor } from '../../src/train/safetensors.ts'
import { freshPartial, freshState } from '../../src/train/training-state.ts'
import { temporaryDirectory } from '../support/data-samples.ts'
import { FAULTS, faultyDisk } from '../support/faulty-disk.ts'

const root = temporaryDirectory()
afterAll(root.remove)
const newFolder = () => mkdtempSync(join(root.path, 'run-'))

const config = withDefaults({ depth: 5, primaryPartition: 2, secondaryPartition: 2, threads: 1 })

function values(...numbers: number[]): StoredTensor {
  return { dtype: 'f32', shape: [numbers.length], data: Float32Array.from(numbers) }
}

/** Checkpoint number `n` of a made-up run: everything in it depends on n. */
function checkpoint(n: number): Checkpoint {
  return {
    model: storeModel(
      config,
      new Map([
        ['w', values(n, 1, 2)],
        ['b', values(n)],
      ]),
    ),
    velocities: new Map([
      ['w', values(n, 3, 4)],
      ['b', values(-n)],
    ]),
    state: { ...freshState(), position: { epoch: 0, batch: n }, steps: n, partial: { ...freshPartial(), loss: n / 3 } },
  }
}

const FILES = [LAST, LAST_STATE].sort()

test('what is saved is loaded, and nothing else stays in the folder', async () => {
  const folder = newFolder()
  for (const n of [1, 2]) {
    await saveCheckpoint(folder, checkpoint(n))
    expect(await loadCheckpoint(folder)).toEqual(checkpoint(n))
    expect(readdirSync(folder).sort()).toEqual(FILES)
  }
})

test('numbers that JSON lacks come back: rows with NaN and infinity as NaN', async () => {
  const folder = newFolder()
  const nan = Number.NaN
  const row = {
    epoch: 0,
    trainLoss: 0.1 + 0.2,
    trainTop1: 1,
    testLoss: nan,
    testTop1: 0,
    testTop5: 0,
    lr: 0.1,
    seconds: 1,
    imagesPerSecond: 2,
  }
  const one = checkpoint(1)
  const state = { ...one.state, position: { epoch: 1, batch: 1 }, rows: [row], best: { epoch: 0, testTop1: 50 } }
  await saveCheckpoint(folder, { ...one, state })
  expect((await loadCheckpoint(folder)).state).toEqual(state)
})

describe.each(FAULTS)('%s', fault => {
  test('at every operation on the disk: the old or the new checkpoint is whole', async () => {
    const [old, next, later] = [1, 2, 3].map(checkpoint) as [Checkpoint, Checkpoint, Checkpoint]
    for (let at = 0; ; at++) {
      const folder = newFolder()
      await saveCheckpoint(folder, old)
      const faulty = faultyDisk(fault, at)
      const error = await saveCheckpoint(folder, next, faulty).then(
        () => undefined,
        reason => reason as Error,
      )
      if (at >= faulty.operations.length) {
        expect(error).toBeUndefined()
        expect(at).toBe(6)
        return
      }
      const step = `${fault}, operation ${at} of ${faulty.operations}`
      expect(error, step).toBeInstanceOf(DataError)
      expect(error?.message, step).toMatch(
        /^checkpoint: cannot write .*last\.safetensors: ENOSPC: no space left on device; /,
      )
      const found = await loadCheckpoint(folder)
      expect([old, next], step).toContainEqual(found)
      const isNew = found.state.steps === 2
      expect(isNew, step).toBe(at > 2 || (at === 2 && fault === 'crash after'))
      const { weightsSha256 } = await readModel(join(folder, LAST)) // whole for other tools at any moment
      expect([old, next].map(({ model }) => model.weightsSha256)).toContain(weightsSha256)
      if (fault === 'full' && !isNew) {
        expect(error?.message).toMatch(/; the checkpoint before it, if any, is whole$/)
        expect(readdirSync(folder).sort(), step).toEqual(FILES)
      }
      await settle(folder)
      expect(await loadCheckpoint(folder), step).toEqual(found)
      expect((await readModel(join(folder, LAST))).weightsSha256, step).toBe(found.model.weightsSha256)
      expect(readdirSync(folder).sort(), step).toEqual(FILES)
      await saveCheckpoint(folder, later)
      expect(await loadCheckpoint(folder), step).toEqual(later)
    }
  })

  test('at every operation for the first checkpoint: none, or a whole one', async () => {
    for (let at = 0; at < 6; at++) {
      const folder = newFolder()
      await expect(saveCheckpoint(folder, checkpoint(1), faultyDisk(fault, at))).rejects.toBeInstanceOf(DataError)
      const counts = existsSync(join(folder, LAST_STATE))
      expect(counts).toBe(at > 2 || (at === 2 && fault === 'crash after'))
      if (counts) expect(await loadCheckpoint(folder)).toEqual(checkpoint(1))
      await settle(folder)
      expect(readdirSync(folder).sort()).toEqual(counts ? FILES : [])
      if (counts) expect(await loadCheckpoint(folder)).toEqual(checkpoint(1))
    }
  })

  test('at every operation for the best model: the old or the new one is whole', async () => {
    const [old, next] = [checkpoint(1).model, checkpoint(2).model]
    for (let at = 0; at < 3; at++) {
      const folder = newFolder()
      await saveBest(folder, old)
      await expect(saveBest(folder, next, faultyDisk(fault, at))).rejects.toThrow(
        /^checkpoint: cannot write .*best\.saf/,
      )
      expect([old, next]).toContainEqual(await readModel(join(folder, BEST)))
      await settle(folder)
      expect(readdirSync(folder)).toEqual([BEST])
    }
  })
})

test('the settling of a crash can crash itself', async () => {
  for (const fault of FAULTS) {
    for (let at = 0; at < 3; at++) {
      const folder = newFolder()
      await saveCheckpoint(folder, checkpoint(1))
      await expect(saveCheckpoint(folder, checkpoint(2), faultyDisk('crash after', 2))).rejects.toThrow()
      writeFileSync(temporary(join(folder, BEST)), 'half') // to be removed, behind the two operations of a renaming
      await expect(settle(folder, faultyDisk(fault, at))).rejects.toThrow()
      expect(await loadCheckpoint(folder)).toEqual(checkpoint(2))
      await settle(folder)
      expect(await loadCheckpoint(folder)).toEqual(checkpoint(2))
      expect(readdirSync(folder).sort()).toEqual(FILES)
    }
  }
})

/** A folder with checkpoint 1 whose file `name` has other content. */
async function altered(name: string, change: (stored: Stored) => Partial<Stored>) {
  const folder = newFolder()
  await saveCheckpoint(folder, checkpoint(1))
  const path = join(folder, name)
  const stored = await readSafetensors(path)
  const { metadata, ...other } = { ...stored, ...change(stored) }
  const { metadataSha256: _, ...unsealed } = metadata // as in an older file
  writeFileSync(path, Buffer.concat(encodeSafetensors({ ...other, metadata: unsealed })))
  return folder
}

async function messageOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    reason => reason,
  )
  expect(error).toBeInstanceOf(DataError)
  return error.message
}

/** A folder with a checkpoint whose training state is the text, or has other values. */
const alteredState = (other: string | object) =>
  altered(LAST_STATE, ({ metadata }) => {
    const state = JSON.parse(metadata.state as string)
    return {
      metadata: { ...metadata, state: typeof other === 'string' ? other : JSON.stringify({ ...state, ...other }) },
    }
  })

test('a model of another moment than its state is an error', async () => {
  const folder = newFolder()
  await saveCheckpoint(folder, checkpoint(1))
  const other = newFolder()
  await saveCheckpoint(other, checkpoint(2))
  copyFileSync(join(other, LAST), join(folder, LAST))
  const [one, two] = [checkpoint(1), checkpoint(2)].map(({ model }) => model.weightsSha256)
  expect(await messageOf(loadCheckpoint(folder))).toBe(
    `checkpoint: expected the model of ${join(folder, LAST_STATE)} (weights ${one}) in ${join(folder, LAST)} but received weights ${two}`,
  )
})

test('a missing part is an error that names it', async () => {
  for (const name of FILES) {
    const folder = newFolder()
    await saveCheckpoint(folder, checkpoint(1))
    rmSync(join(folder, name))
    expect(await messageOf(loadCheckpoint(folder))).toContain(`cannot read ${join(folder, name)}: ENOENT`)
  }
})

test('a truncated part is an error that names it', async () => {
  for (const name of FILES) {
    const folder = newFolder()
    await saveCheckpoint(folder, checkpoint(1))
    const path = join(folder, name)
    const bytes = readFileSync(path)
    for (let length = 0; length < bytes.length; length += 7) {
      writeFileSync(path, bytes.subarray(0, length))
      const message = await messageOf(loadCheckpoint(folder))
      expect(message).toMatch(/^safetensors: expected .* at byte offset \d+ of /)
      expect(message).toContain(path)
    }
  }
})

test('a flipped bit in the values is found', async () => {
  for (const name of FILES) {
    const folder = newFolder()
    await saveCheckpoint(folder, checkpoint(1))
    const path = join(folder, name)
    const bytes = readFileSync(path)
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1
    writeFileSync(path, bytes)
    expect(await messageOf(loadCheckpoint(folder))).toMatch(
      /^checkpoint: expected values with the SHA-256 [0-9a-f]{64} in .* damaged$/,
    )
  }
})

test('another number in the metadata is found; a file without its hash is read', async () => {
  for (const [name, from, to] of [
    [LAST, '\\"lr\\":0.1', '\\"lr\\":0.2'],
    [LAST_STATE, '\\"loss\\":0', '\\"loss\\":4'],
  ] as const) {
    const folder = newFolder()
    await saveCheckpoint(folder, checkpoint(1))
    const path = join(folder, name)
    const text = readFileSync(path, 'latin1')
    expect(text).toContain(from)
    writeFileSync(path, text.replace(from, to), 'latin1')
    expect(await messageOf(loadCheckpoint(folder))).toMatch(
      /^checkpoint: expected metadata with the SHA-256 [0-9a-f]{64} in .* but received [0-9a-f]{64}: damaged, or edited /,
    )
    const old = await altered(name, stored => stored)
    expect(await loadCheckpoint(old)).toEqual(checkpoint(1))
  }
})

test('a safetensors file of another tool is an error', async () => {
  const path = join(newFolder(), 'foreign.safetensors')
  writeFileSync(path, Buffer.concat(encodeSafetensors({ tensors: new Map(), metadata: { format: 'pt' } })))
  expect(await messageOf(readModel(path))).toBe(
    `checkpoint: expected a model file of igcnet (metadata with producer igcnet, version 1 and config) but received ${path} without`,
  )
  const folder = await altered(LAST_STATE, () => ({ metadata: {} }))
  expect(await messageOf(loadCheckpoint(folder))).toMatch(/^checkpoint: expected a training state of igcnet/)
})

test('a configuration that makes no sense is an error', async () => {
  const changed = (text: string) => altered(LAST, ({ metadata }) => ({ metadata: { ...metadata, config: text } }))
  const read = async (text: string) => messageOf(readModel(join(await changed(text), LAST)))
  expect(await read('{')).toContain('checkpoint: expected a valid configuration in ')
  expect(await read(JSON.stringify({ ...config, depth: -1 }))).toContain('for depth but received -1')
})

test.each([
  ['{', 'JSON'],
  ['"x"', 'an object'],
  [{ position: { epoch: -1, batch: 0 } }, 'a position with epoch and batch'],
  [{ position: { epoch: 0, batch: 0.5 } }, 'a position with epoch and batch'],
  [{ steps: null }, 'a number of steps'],
  [{ partial: { loss: 1 } }, 'sums of the epoch under way'],
  [{ partial: { ...freshPartial(), examples: 3 } }, 'sums of the epoch under way'],
  [{ partial: { ...freshPartial(), steps: 3 } }, 'sums of the epoch under way'],
  [{ partial: { ...freshPartial(), steps: 1, examples: 2, correct: 3 } }, 'sums of the epoch under way'],
  [{ rows: [{ epoch: 0 }] }, 'a row of metrics for every epoch'],
  [{ best: { epoch: 'x' } }, 'the best epoch or null'],
  [{ position: { epoch: 3, batch: 0 } }, 'a row of metrics for each of the 3 finished epochs'],
])('a training state that makes no sense: %j', async (other, expected) => {
  const folder = await alteredState(other)
  expect(await messageOf(loadCheckpoint(folder))).toBe(
    `checkpoint: expected ${expected} in the training state of ${join(folder, LAST_STATE)}`,
  )
})

test('only velocities belong to a training state', async () => {
  const folder = await altered(LAST_STATE, () => ({ tensors: new Map([['w', values(1)]]) }))
  expect(await messageOf(loadCheckpoint(folder))).toMatch(
    /expected names that start with velocity\. in .* but received 'w'$/,
  )
})

test('a path to resume is a run folder or its last checkpoint', () => {
  const folder = newFolder()
  expect(folderOf(folder)).toBe(folder)
  expect(folderOf(join('runs', 'a', LAST))).toBe(join('runs', 'a'))
  expect(() => folderOf('runs/a/best.safetensors')).toThrow(
    'resume: expected a run folder or its last.safetensors but received runs/a/best.safetensors, where nothing is',
  )
})

describe('networks', () => {
  test('a stored network gives the same tensors, bit for bit', async () => {
    const net = buildNetwork(config)
    const tensors = await readTensors(Object.entries(net.state()))
    expect(tensors.has('stages.1.0.bn.runningVar')).toBe(true)
    const path = join(newFolder(), LAST)
    await saveBest(join(path, '..'), storeModel(config, tensors))
    const model = await readModel(join(path, '..', BEST))
    const restored = restoreNetwork(model, { ...config, randSeed: 1 }, path)
    expect(await readTensors(Object.entries(restored.state()))).toEqual(tensors)
    net.dispose()
    restored.dispose()
  })

  test('tensors that are not those of the configuration are errors', async () => {
    const net = buildNetwork(config)
    const tensors = await readTensors(Object.entries(net.state()))
    net.dispose()
    const restore = (change: (copy: Map<string, StoredTensor>) => void, other = {}) => {
      const copy = new Map(tensors)
      change(copy)
      restoreNetwork(storeModel({ ...config, ...other }, copy), { ...config, ...other }, 'PATH')
    }
    expect(() => restore(copy => copy.delete('head.bias'))).toThrow(
      "checkpoint: expected f32 [10] for 'head.bias' in PATH but received nothing",
    )
    expect(() => restore(copy => copy.set('head.bias', values(1)))).toThrow(
      "checkpoint: expected f32 [10] for 'head.bias' in PATH but received f32 [1]",
    )
    const doubles: StoredTensor = { dtype: 'f64', shape: [10], data: new Float64Array(10) }
    expect(() => restore(copy => copy.set('head.bias', doubles))).toThrow(
      "checkpoint: expected f32 [10] for 'head.bias' in PATH but received f64 [10]",
    )
    expect(() => restore(copy => copy.set('extra', values(1)))).toThrow(
      `checkpoint: expected ${tensors.size} tensors in PATH but received ${tensors.size + 1}`,
    )
    expect(() => restore(() => {}, { numClasses: 12 })).toThrow("for 'head.weight' in PATH but received f32 [10, 16]")
  })

  test('a configuration of a far larger network than the file is refused before memory is asked for', async () => {
    const tensors = new Map([['w', values(1, 2, 3)]])
    for (const large of [{ depth: 9998 }, { primaryPartition: 60_000 }, { numClasses: 1_000_000 }]) {
      const big = { ...config, ...large }
      expect(() => restoreNetwork(storeModel(big, tensors), big, 'PATH')).toThrow(
        /^checkpoint: expected at least \d+ values/,
      )
    }
  })
})

test('a model whose renaming was interrupted is found under every temporary name, also an older one', async () => {
  for (const name of [`${LAST}.0123456789ab.tmp`, `${LAST}.tmp`]) {
    const folder = newFolder()
    await saveCheckpoint(folder, checkpoint(2))
    renameSync(join(folder, LAST), join(folder, name))
    await saveBest(folder, checkpoint(1).model)
    renameSync(join(folder, BEST), join(folder, LAST))
    writeFileSync(join(folder, `${LAST}.ffffffffffff.tmp`), 'half')
    expect(await loadCheckpoint(folder)).toEqual(checkpoint(2))
    await settle(folder)
    expect(await loadCheckpoint(folder)).toEqual(checkpoint(2))
    expect(readdirSync(folder).sort()).toEqual(FILES)
  }
})
