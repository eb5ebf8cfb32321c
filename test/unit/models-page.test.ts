/** docs/models.md is what the generator makes of the networks as they are, and has all of them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { modelsPage } from '../../scripts/models-page.ts'
import { FAMILIES } from '../../scripts/models-text.ts'
import { setThreads } from '../../src/device.ts'
import { networkNames } from '../../src/models/table.ts'
import { root } from '../cli/command-line.ts'

let page = ''
beforeAll(() => {
  setThreads(1)
  page = modelsPage()
}, 300_000)

test('the page is made of the networks (npm run docs:models)', () => {
  expect(readFileSync(join(root, 'docs/models.md'), 'utf8')).toBe(page)
})

test('every network is in one family, and in its table', () => {
  expect(FAMILIES.flatMap(({ networks }) => networks).sort()).toEqual([...networkNames].sort())
  for (const name of networkNames) expect(page).toContain(`| \`${name}\` | `)
})

test('counts are those of the papers; what differs has a reason', () => {
  expect(page).toMatch(/^\| `plain_igc` \| depth 20, L 24, M 2 \| 32x32 \| 10 \| .* \| 155,962 \| 28\.76 \|$/m)
  expect(page).toMatch(/^\| `resnet_igc_imgnet_d18_l100m2` \| .* \| 8,637,900 \| 126\d\.\d\d \|$/m)
  expect(page).not.toContain('unexplained')
})
