/** The packages as a user installs them (scripts/smoke.mjs); its other variants are run by hand and before a release. */
import { expect, it } from 'vitest'

interface Result {
  times: Record<string, string>
  bytes: number
  result: { epochs: number }
  script: string
  doctor: { addon: { path: string }; devices: { cuda: { works: boolean; reason: string } } }
}
interface Smoke {
  smoke(names: string[]): Promise<Record<string, Result>>
}
const { smoke }: Smoke = await import(`${new URL('../../scripts/smoke.mjs', import.meta.url)}`)

it('npm install, npx igcnet train, and the script of the README', { timeout: 300_000 }, async () => {
  const result = (await smoke(['npm'])).npm as Result
  expect(result.result.epochs).toBe(2)
  expect(result.bytes).toBeGreaterThan(1e6)
  expect(result.doctor.addon.path).toMatch(/project\/node_modules\/@igcnet\/[\w-]+\/igcnet\.node$/)
  const accuracies = [...result.script.matchAll(/after epoch \d: ([\d.]+) %/g)].map(match => Number(match[1]))
  expect(accuracies).toHaveLength(5)
  expect(accuracies.at(-1)).toBeGreaterThan(90)
})
