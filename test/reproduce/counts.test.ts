/**
 * Every published count is what the networks have, to the last digit, but for those that the data file gives a reason for,
 * and the reasons hold; the data file is whole.
 */
import { beforeAll, describe, expect, it, test } from 'vitest'
import { setThreads } from '../../src/device.ts'
import { type CountedTable, countTables, differences } from '../../src/reproduce/counts.ts'
import { QUANTITIES, readPublished } from '../../src/reproduce/published.ts'

const published = readPublished()
let tables: CountedTable[] = []
beforeAll(() => {
  setThreads(1)
  tables = countTables()
}, 300_000)

const table = (id: string) => {
  const found = tables.find(candidate => candidate.id === id)
  if (found === undefined) throw new Error(`no table ${id}`)
  return found
}
const value = (id: string, label: string, quantity: string, classes?: number) => {
  const row = table(id).rows.find(one => one.label === label && (classes === undefined || one.classes === classes))
  return row?.values.find(one => one.quantity === quantity)
}

test('every published number is compared, none twice', () => {
  for (const { id, rows } of published.tables) {
    const compared = table(id).rows
    expect(compared.map(({ label }) => label)).toEqual(rows.map(({ label }) => label))
    for (const [i, row] of rows.entries()) {
      expect(compared[i]?.values.map(({ quantity }) => quantity)).toEqual(Object.keys(row.published))
    }
    const keys = rows.map(({ label, published: _, ...subject }) => JSON.stringify([label, subject]))
    expect(new Set(keys).size).toBe(keys.length)
  }
})

describe.each(published.tables.map(({ id }) => id))('%s', id => {
  it('differs from the published numbers only where there is a reason', () => {
    const { unexplained } = differences([table(id)])
    expect(unexplained).toEqual([])
  })
})

test('a wrong count is seen, and a reason is given only where numbers differ', () => {
  const [first] = published.tables
  const row = value('plain', 'L24M2, depth 20', 'parameters', 10)
  expect(row).toEqual({
    quantity: 'parameters',
    title: 'parameters',
    computed: 155_962,
    rounded: '155962',
    published: '155962',
    equal: true,
  })
  expect(value('plain', 'L24M2, depth 20', 'megaMacs')).toMatchObject({ rounded: '28.76', published: '28.76' })
  const wrong = { ...(row as NonNullable<typeof row>), equal: false }
  const fake = [{ ...table('plain'), rows: [{ label: 'x', values: [wrong] }] }]
  expect(differences(fake).unexplained).toEqual([wrong])
  expect(first?.sources.length).toBeGreaterThan(0)
  for (const { values } of tables.flatMap(({ rows }) => rows)) {
    for (const { equal, reason } of values) if (equal) expect(reason).toBeUndefined()
  }
})

describe('the data file', () => {
  it('names a source for every table, a quantity for every number, a note for every reason', () => {
    for (const { sources, notes = {}, rows, origin } of published.tables) {
      expect(origin).toMatch(/\.$/)
      for (const name of sources) expect(published.sources).toHaveProperty([name])
      for (const { published: numbers, reasons = {} } of rows) {
        for (const quantity of Object.keys(numbers)) expect(QUANTITIES).toHaveProperty([quantity])
        for (const [quantity, note] of Object.entries(reasons)) {
          expect(numbers).toHaveProperty([quantity])
          expect(notes).toHaveProperty([note as string])
        }
      }
    }
  })

  it('has all tables whole: depths, widths, class counts', () => {
    const rows = (id: string) => published.tables.find(one => one.id === id)?.rows.length
    expect(rows('partitions')).toBe(11)
    expect(rows('plain')).toBe(4 * 4 * 2)
    expect(rows('residual')).toBe(5 * 5 * 2)
    expect(rows('igcv2-blocks')).toBe(11)
  })
})
