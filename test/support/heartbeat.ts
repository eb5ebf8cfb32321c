/**
 * Lets the process of a test file read its messages after every test. Tests that never wait for anything (thousands of
 * kernels, one by one) leave Vitest's replies unread otherwise, and after a minute it takes the run for broken:
 * Timeout calling "onTaskUpdate".
 */
import { setImmediate } from 'node:timers/promises'
import { afterEach } from 'vitest'

afterEach(async () => {
  await setImmediate()
})
