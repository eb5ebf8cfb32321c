/** Options of `train` that are none, as callers without types may pass them. */
import { expect, test } from 'vitest'
import { train, withDefaults } from '../../src/train/index.ts'

test.each([
  [undefined, 'an object of options with runDir but received undefined'],
  [{ runDir: '' }, "the path of a folder for runDir but received ''"],
  [{ runDir: 'x', resume: 3 }, 'a path for resume but received 3'],
  [{ runDir: 'x', signal: {} }, 'an AbortSignal for signal but received an object'],
  [{ runDir: 'x', onProgress: 3 }, 'a function for onProgress but received 3'],
])('options that are none: %j', async (options, rest) => {
  await expect(train(withDefaults({}), options as never)).rejects.toThrow(new TypeError(`train: expected ${rest}`))
})
