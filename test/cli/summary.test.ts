/** `igcnet summary` prints the counts of the papers for every network of their tables (test/golden/counts.json). */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { igcnet, lastJson, root, start } from './command-line.ts'

interface Row {
  network: string
  depth: number
  width?: number
  primaryPartitions?: number
  secondaryPartitions?: number
  quirk?: boolean
  classes: number
  parameters: number
  convParameters?: number
  bnParameters?: number
  linearParameters?: number
  megaMacs?: number
}

const rows = JSON.parse(readFileSync(join(root, 'test/golden/counts.json'), 'utf8')) as Row[]

function optionsOf(row: Row): string[] {
  const { network, depth, width, primaryPartitions = width, secondaryPartitions = 1, quirk, classes } = row
  const values = {
    '--network': network,
    '--depth': depth,
    '--primary-partition': primaryPartitions,
    '--secondary-partition': secondaryPartitions,
    '--num-classes': classes,
  }
  const pairs = Object.entries(values).flatMap(([option, value]) => [option, String(value)])
  return quirk === false ? [...pairs, '--consistent'] : pairs
}

describe('the tables of the papers', () => {
  test('all rows are here', () => {
    // 16 plain networks and 25 residual ones, for 10 and for 100 classes.
    expect(rows.length).toBeGreaterThanOrEqual(2 * (16 + 25))
  })

  test.each(rows.map(row => [optionsOf(row).join(' '), row] as const))('%s', async (_, row) => {
    const outcome = await igcnet('summary', ...optionsOf(row), '--json')
    expect(outcome).toMatchObject({ code: 0, stderr: '' })
    const counts = lastJson(outcome) as Record<string, number>
    expect(Object.keys(counts)).toEqual(['parameters', 'convParameters', 'bnParameters', 'linearParameters', 'macs'])
    const { parameters, convParameters, bnParameters, linearParameters, megaMacs } = row
    const expected = { parameters, convParameters, bnParameters, linearParameters }
    for (const [name, value] of Object.entries(expected)) if (value !== undefined) expect(counts[name]).toBe(value)
    if (megaMacs !== undefined) expect(Number(((counts.macs ?? 0) / 1e6).toFixed(2))).toBe(megaMacs)
    expect((counts.convParameters ?? 0) + (counts.bnParameters ?? 0) + (counts.linearParameters ?? 0)).toBe(parameters)
  })
})

test('without options: the table of plain_igc, depth 20, L24M2', async () => {
  const { code, stdout, stderr } = await igcnet('summary')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const lines = stdout.split('\n')
  expect(lines[0]).toMatch(/^layer +type +output +parameters +multiply-adds$/)
  expect(lines).toContainEqual(expect.stringMatching(/^stem\.conv +Conv2d +32x32x48 +1,296 +1,327,104$/))
  expect(lines).toContainEqual(expect.stringMatching(/^head +Linear +10 +1,930 +1,920$/))
  expect(lines).toContainEqual(expect.stringMatching(/^parameters +155,962$/))
  // Each column of the table adds up to its total.
  const cells = lines.slice(2, lines.indexOf('')).map(line => line.split(/ {2,}/))
  const sum = (column: number) => cells.reduce((total, row) => total + Number(row[column]?.replaceAll(',', '')), 0)
  expect(sum(3)).toBe(155_962)
  expect(lines).toContainEqual(
    expect.stringMatching(new RegExp(`^multiply-adds, one image +${sum(4).toLocaleString('en-US')}$`)),
  )
  expect((sum(4) / 1e6).toFixed(2)).toBe('28.76')
})

test('as a process: the JSON object is the last line', async () => {
  const outcome = await start(['summary', '--network', 'resnet', '--depth', '8', '--json']).ended
  expect(outcome).toMatchObject({ code: 0, stderr: '' })
  expect(Object.keys(lastJson(outcome))).toHaveLength(5)
})

test.each([
  [['--depth', '21'], /depth of 3B \+ 2 .* but received 21; the nearest is 20/],
  [['--depth', '2'], /depth of 3B \+ 2 .* but received 2/],
  [['--network', 'resnet', '--depth', '7'], /resnet: expected a depth from 8 .* but received 7/],
])('a depth that does not fit is an error: %s', async (options, message) => {
  const { code, stdout, stderr } = await igcnet('summary', ...options)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(message)
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
})

test('--consistent makes no sense for other networks', async () => {
  const { code, stderr } = await igcnet('summary', '--consistent')
  expect(code).toBe(2)
  expect(stderr).toBe('igcnet: --consistent: expected --network resnet_igc with it but received plain_igc\n')
})
