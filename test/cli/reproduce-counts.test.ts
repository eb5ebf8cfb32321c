/** `igcnet reproduce counts`: its text and its JSON object; the numbers themselves are checked in test/reproduce. */
import { expect, test } from 'vitest'
import { readPublished } from '../../src/reproduce/published.ts'
import { igcnet, lastJson, start } from './command-line.ts'

interface Report {
  numbers: number
  differ: number
  unexplained: number
  tables: { id: string; rows: { label: string; values: object[]; layers?: { parameters: number }[] }[] }[]
}

const published = readPublished().tables

test('--json: every published number, none of them different without a reason', async () => {
  const outcome = await start(['reproduce', 'counts', '--json'], { env: { IGCNET_THREADS: '1' } }).ended
  expect(outcome).toMatchObject({ code: 0, stderr: '' })
  const report = lastJson(outcome) as unknown as Report
  expect(report.tables.map(({ id }) => id)).toEqual(published.map(({ id }) => id))
  const numbers = published.flatMap(({ rows }) => rows.flatMap(row => Object.keys(row.published)))
  expect(report).toMatchObject({ numbers: numbers.length, unexplained: 0 })
})

test('--network: its rows, and its layers, which add up to the parameters', async () => {
  const { code, stdout, stderr } = await igcnet('reproduce', 'counts', '--network', 'resnet_igc')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^L24M2\+Ident\., depth 20, consistent +100 +174,868 +174,868$/m)
  expect(stdout).toMatch(/^L24M2\+Ident\., depth 8, 10 classes, layer by layer$/m)
  expect(stdout).not.toContain('Plain networks')
  expect(stdout).toMatch(/^30 published numbers: 30 equal what is counted here$/m)
  const report = lastJson(await igcnet('reproduce', 'counts', '--network', 'plain', '--json')) as unknown as Report
  const [row] = report.tables[0]?.rows ?? []
  expect(row?.label).toBe('W16, depth 8')
  expect(row?.layers?.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(75_290)
})

test('--network with a network that no table has: its layers', async () => {
  const { code, stdout, stderr } = await igcnet('reproduce', 'counts', '--network', 'xception')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^No counts of this network are published\.$/m)
  expect(stdout).toMatch(/^xception, depth 20, W36, 10 classes, layer by layer$/m)
  expect(stdout).toMatch(/^stem\.conv +Conv2d +32x32x36 +972 +995,328$/m)
  expect(stdout).toMatch(/^0 published numbers: 0 equal/m)
})

test('without a command: the help', async () => {
  const { code, stdout, stderr } = await igcnet('reproduce')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^ {2}counts \[options\] +\S/m)
  expect(await igcnet('reproduce', '--help')).toEqual({ code, stdout, stderr })
})
