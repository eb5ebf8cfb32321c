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

test('an unknown network is told the known ones', () => {
  expect(() => countTables({ network: 'plainIgc' as never })).toThrow(
    /^counts: expected one of plain, plain_igc, .* for network but received plainIgc$/,
  )
})

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

test('the ImageNet graphs and IGCV3-D, to the last parameter', () => {
  const parameters = (id: string) =>
    table(id).rows.map(({ values }) => values.find(one => one.quantity === 'parameters'))
  expect(parameters('imagenet').map(one => one?.computed)).toEqual([
    11_689_512, 13_542_457, 12_251_240, 13_528_296, 8_637_900,
  ])
  expect(parameters('igcv3').map(one => one?.computed)).toEqual([3_491_688, 2_223_498, 2_338_788])
})

test('the reasons hold: the four stray digits as they are read, and 2.2 G without projections', () => {
  const read = table('imagenet').rows.map(
    ({ values }) => values.find(one => one.quantity === 'readMegaParameters')?.rounded,
  )
  expect(read).toEqual(['11.51', '13.33', '12.05', '13.29', undefined])
  expect(value('imagenet', 'IGC-L16M16+Ident.', 'paperGigaMacs')).toMatchObject({
    rounded: '2.3',
    published: '2.2',
    equal: false,
  })
  expect(value('imagenet', 'IGC-L16M16+Ident.', 'readGigaMacs')).toMatchObject({ rounded: '2.2', equal: true })
  const { all } = differences(tables)
  expect(all.map(({ quantity }) => quantity).sort()).toEqual([
    ...['megaMacs', 'megaMacs', 'megaMacs', 'megaParameters', 'megaParameters', 'paperGigaMacs'],
    ...['paperMegaParameters', 'paperMegaParameters', 'paperMegaParameters', 'paperMegaParameters'],
  ])
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
    expect(rows('imagenet')).toBe(5)
    expect(rows('igcv2-blocks')).toBe(11)
    expect(rows('igcv2-imagenet')).toBe(3)
    expect(rows('igcv3')).toBe(3)
  })
})
