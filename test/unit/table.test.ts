/** Tables for files: the literal text. */
import { expect, test } from 'vitest'
import { csvTable, markdownTable, withCommas } from '../../src/table.ts'

test('markdown: numbers to the right, bars in cells are escaped', () => {
  const rows = [
    ['a', '10'],
    ['b|c', '5'],
  ]
  expect(markdownTable(['name', 'n'], rows)).toBe('| name | n |\n|---|---:|\n| a | 10 |\n| b\\|c | 5 |\n')
})

test('csv: quoted where a comma, a quote or a line feed stands', () => {
  const rows = [
    ['a', 1.5],
    ['b, "c"', Number.NaN],
  ]
  expect(csvTable(['name', 'x'], rows)).toBe('name,x\na,1.5\n"b, ""c""",NaN\n')
})

test('thousands', () => {
  expect([0, 999, 149_904, 1_234_567].map(withCommas)).toEqual(['0', '999', '149,904', '1,234,567'])
})
