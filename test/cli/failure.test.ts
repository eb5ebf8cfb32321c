/** What the command line says of an error, and its exit code. */
import { afterEach, expect, test, vi } from 'vitest'
import {
  checkedUsage,
  exitCodeOf,
  InterruptedError,
  reportFailure,
  sentenceOf,
  UsageError,
  unknownName,
} from '../../src/cli/failure.ts'
import { DataError } from '../../src/errors.ts'

afterEach(() => void vi.unstubAllEnvs())

const systemError = Object.assign(new Error("EACCES: permission denied, mkdir '/x'"), { code: 'EACCES' })
const outOfRange = new RangeError('digits: expected batchSize at most 10 but received 20')

test.each([
  [new UsageError('--depth: expected'), 2, '--depth: expected'],
  [outOfRange, 2, outOfRange.message],
  [new DataError('cifar10: expected a label'), 1, 'cifar10: expected a label'],
  [systemError, 1, systemError.message],
  [new InterruptedError(143, 'stopped'), 143, 'stopped'],
  [new TypeError('x is undefined'), 1, 'TypeError: x is undefined (IGCNET_DEBUG=1 shows where)'],
  [new RangeError('Invalid array length'), 1, 'RangeError: Invalid array length (IGCNET_DEBUG=1 shows where)'],
  [new DataError('two\n  lines\n'), 1, 'two lines'],
  ['thrown text', 1, 'thrown text'],
])('%s', (error, code, sentence) => {
  expect(exitCodeOf(error)).toBe(code)
  expect(sentenceOf(error)).toBe(sentence)
})

test('IGCNET_DEBUG=1 adds the stack, and that of the cause', () => {
  const error = new DataError('cannot read', { cause: systemError })
  const reported = () => {
    let text = ''
    reportFailure(error, part => {
      text += part
    })
    return text
  }
  vi.stubEnv('IGCNET_DEBUG', undefined)
  expect(reported()).toBe('igcnet: cannot read\n')
  vi.stubEnv('IGCNET_DEBUG', '1')
  expect(reported()).toMatch(
    /^igcnet: cannot read\nDataError: cannot read\n {4}at [\s\S]+\ncaused by Error: EACCES[\s\S]+ {4}at /,
  )
})

test('checkedUsage: numbers out of range are usage errors, other errors are themselves', () => {
  const fail = (error: Error) => () =>
    checkedUsage(() => {
      throw error
    })
  expect(checkedUsage(() => 5)).toBe(5)
  expect(fail(outOfRange)).toThrow(UsageError)
  expect(fail(outOfRange)).toThrow(outOfRange.message)
  expect(fail(systemError)).toThrow(systemError)
  expect(fail(new RangeError('Invalid array length'))).toThrow(RangeError)
})

test('unknownName: other words are those of the list, not of every object', () => {
  const otherWords = { igc: 'plain_igc' }
  expect(unknownName('network', 'IGC', ['plain_igc'], otherWords).message).toBe(
    'unknown network "IGC": did you mean plain_igc?',
  )
  for (const word of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
    expect(unknownName('network', word, ['plain_igc'], otherWords).message).toBe(
      `unknown network ${JSON.stringify(word)}: expected one of plain_igc`,
    )
  }
})
