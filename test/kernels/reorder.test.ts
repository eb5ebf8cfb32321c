/**
 * reorder: on both devices equal to its definition for every factor of every C up to 240; Reorder(L) and then Reorder(M)
 * is the identity exactly when C = L*M; over test/shapes/reorder.json `cpu` equals `reference`.
 */
import { describe, expect, it } from 'vitest'
import { native, type TypedArray } from '../../src/native.ts'
import { reorderShapes } from '../shapes/shapes.ts'
import { DEVICE, expectExact, integers, type Place, runKernel } from '../support/kernel-compare.ts'

const PLACES: Place[] = [
  { device: 'reference', dtype: 'f64' },
  { device: 'reference', dtype: 'f32' },
  { device: DEVICE, dtype: 'f32' },
]
const ROWS = 3
const factors = (C: number) => Array.from({ length: C }, (_, i) => i + 1).filter(b => C % b === 0)

/** ROWS rows of C channels, every element another. */
const counting = (C: number) => ({
  shape: [1, 1, ROWS, C],
  data: Float64Array.from({ length: ROWS * C }, (_, i) => i + 1),
})

/** The same numbers. (toEqual is slow on long arrays.) */
function same(a: TypedArray | undefined, b: TypedArray | undefined): boolean {
  return a !== undefined && a.length === b?.length && a.every((value: number, i: number) => value === b[i])
}

describe.each(PLACES)('reorder on $device in $dtype', place => {
  it('equals its definition, and its gradient is the inverse, for every factor of every C up to 240', () => {
    for (let C = 1; C <= 240; C++) {
      for (const factor of factors(C)) {
        const outputs = runKernel(put => {
          const x = put(counting(C))
          const y = native.reorderForward(x, { factor })
          return { x, y, back: native.reorderBackwardInput(y, { factor }) }
        }, place)
        const x = outputs.get('x') as Float64Array
        const expected = x.slice()
        for (let row = 0; row < ROWS; row++) {
          for (let p = 0; p < factor; p++) {
            for (let q = 0; q < C / factor; q++) {
              expected[row * C + q * factor + p] = x[row * C + p * (C / factor) + q] as number
            }
          }
        }
        expect(same(outputs.get('y'), expected), `C ${C}, factor ${factor}`).toBe(true)
        expect(same(outputs.get('back'), x), `gradient, C ${C}, factor ${factor}`).toBe(true)
      }
    }
  })

  it('Reorder(L), Reorder(M) is the identity exactly when C = LM', () => {
    for (const C of [2, 6, 12, 36, 48, 60]) {
      for (const L of factors(C)) {
        for (const M of factors(C)) {
          const outputs = runKernel(put => {
            const x = put(counting(C))
            const u = native.reorderForward(x, { factor: L })
            return { x, u, y: native.reorderForward(u, { factor: M }) }
          }, place)
          // Reorder(b) is i -> i*b modulo C - 1, so the pair is the identity when L*M = 1 modulo C - 1: for factors of
          // C this is L*M = C, or L = M = 1, or L = M = C (then neither moves anything).
          const trivial = (L === 1 || L === C) && (M === 1 || M === C)
          expect(same(outputs.get('x'), outputs.get('y')), `C ${C}, L ${L}, M ${M}`).toBe(L * M === C || trivial)
        }
      }
    }
  })
})

describe('reorder, cpu and reference', () => {
  it.each(reorderShapes)('$name', ({ N, H, W, C, factor }) => {
    return expectExact(put => {
      const x = put(integers([N, H, W, C], 1))
      return { y: native.reorderForward(x, { factor }), dx: native.reorderBackwardInput(x, { factor }) }
    })
  })
})
