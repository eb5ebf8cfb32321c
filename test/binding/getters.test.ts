/** Native calls whose options act while they are read, and handles that come twice: what an op works on stays its own. */
import { expect, it } from 'vitest'
import { type NativeTensor, native } from '../../src/native.ts'

const f32 = (values: number[], shape = [values.length]) =>
  native.tensorCreate({ device: 'cpu', dtype: 'f32', shape }, new Float32Array(values))
const values = (x: NativeTensor) => [...native.tensorReadSync(x)]
// Calls that the compiler refuses.
const wrong = native as unknown as Record<string, (...args: unknown[]) => unknown>

it('what an op reads is kept by a recording that a getter begins', () => {
  const [dy, y] = [f32([1, 2, 3, 4]), f32([1, -1, 1, -1])]
  const p = {
    get overwriteDy() {
      native.recordBegin('cpu')
      return false
    },
  }
  const { dv } = native.addReluBackward(dy, y, p)
  const { recording } = native.recordEnd('cpu')
  for (const handle of [dy, y]) native.tensorDispose(handle)
  native.deviceTrim('cpu')
  const taken = [f32([9, 9, 9, 9]), f32([-9, -9, -9, -9])]
  native.recordReplay(recording as never)
  expect(values(dv)).toEqual([1, 0, 3, 0])
  native.recordDispose(recording as never)
  for (const handle of taken) native.tensorDispose(handle)
})

it('the memory of dy is not taken over where the same handle is read as more', () => {
  const wave = (shape: number[]) =>
    f32(
      Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(1.7 * i)),
      shape,
    )
  const [dy, x] = [wave([1, 6, 6, 32]), wave([1, 6, 6, 32])]
  const [primary, secondary] = [wave([32, 3, 3, 16]), wave([32, 1, 1, 2])]
  const dx = [false, true].map(overwriteDy => {
    const partitions = { primaryPartitions: 2, secondaryPartitions: 16, stride: 1, padding: 1 }
    const needs = { needsInput: true, needsPrimary: false, needsSecondary: false, overwriteDy }
    const p = { ...partitions, ...needs, xRelu: false, yRelu: false, yTraining: false }
    const none = Array.from({ length: 6 }, () => undefined)
    const backward = wrong.igcBlockBackward as (...args: unknown[]) => { dx: NativeTensor }
    return values(backward(dy, x, primary, secondary, p, ...none, dy).dx)
  })
  expect(dx[1]).toEqual(dx[0])
})
