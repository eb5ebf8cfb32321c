/** bench:rivals, as far as it goes without PyTorch: igcnet against itself, and contestants that fail or disagree. */
import { describe, expect, test } from 'vitest'
import { type NetworkRivalCase, rivalCases } from '../../benchmarks/rivals/cases.ts'
import { type CaseResult, contest, contestMemory } from '../../benchmarks/rivals/contest.ts'
import type { Contestant, Reply, Request } from '../../benchmarks/rivals/contestant.ts'
import { probe, values } from '../../benchmarks/rivals/values.ts'
import { lastJson } from '../cli/command-line.ts'
import { script } from './run-script.ts'

/** A contestant in this process that takes `ms` for a repetition and writes down what it is asked. */
function fake(name: string, ms: number, y: number[], log: string[]): Contestant {
  const ask = async (request: Request): Promise<Reply> => {
    log.push(`${name} ${request.command}`)
    if (request.command === 'memory') return { peak: 100 * ms, baseline: 10 }
    return request.command === 'window' ? { ms: ms * request.count } : { results: { y } }
  }
  return { name, ask, close: () => log.push(`${name} close`) } as unknown as Contestant
}

const [first] = rivalCases
if (first === undefined) throw new Error('no cases')

describe('a contest', () => {
  test('alternates, and gives medians and ratios', async () => {
    const log: string[] = []
    const contestants = [fake('ours', 2, [1, 2], log), fake('torch', 6, [1, 2.001], log)]
    const result = await contest(first, contestants, { rounds: 3, windowMs: 24 })
    expect(result.timings.ours).toMatchObject({ median: 2, samples: 3, repetitions: 12 })
    expect(result.timings.torch).toMatchObject({ median: 6, samples: 3, repetitions: 4 })
    expect(result.ratios).toEqual({ ours: 1, torch: 3 })
    expect(result.resultError).toBeCloseTo(0.0005, 9)
    const round = ['ours window', 'ours window', 'torch window', 'torch window']
    expect(log.slice(-12)).toEqual([...round, ...round, ...round])
  })

  test('refuses a rival that solves another problem', async () => {
    const rivals = (y: number[]) => [fake('ours', 1, [1, 2], []), fake('torch', 1, y, [])]
    const options = { rounds: 1, windowMs: 1 }
    await expect(contest(first, rivals([1, 2.1]), options)).rejects.toThrow(
      /^torch: expected y as ours computes it, 1, 2, …, but received 1, 2\.1, … \(relative error 0\.05/,
    )
    await expect(contest(first, rivals([1]), options)).rejects.toThrow(/relative error NaN/)
    await expect(contest(first, rivals([1, Number.NaN]), options)).rejects.toThrow(/relative error NaN/)
  })
})

test('memory: a process for each contestant, that ends before the next one starts', async () => {
  const log: string[] = []
  const start = (name: string) => fake(name, name === 'ours' ? 2 : 5, [], log)
  const result = await contestMemory(rivalCases.at(-1) as NetworkRivalCase, start, ['ours', 'torch'])
  expect(result).toMatchObject({ kind: 'memory', ratios: { ours: 1, torch: 2.5 } })
  expect(result.peaks).toEqual({ ours: { peak: 200, baseline: 10 }, torch: { peak: 500, baseline: 10 } })
  const steps = ['prepare', 'window', 'memory', 'close']
  expect(log).toEqual(['ours', 'torch'].flatMap(name => steps.map(step => `${name} ${step}`)))
})

test('the numbers of all contestants: even, of every seed others, these', () => {
  const numbers = values(100_000, 1)
  const mean = numbers.reduce((sum, value) => sum + value) / numbers.length
  expect(Math.abs(mean)).toBeLessThan(0.005)
  expect(Math.min(...numbers.subarray(0, 1000))).toBeGreaterThanOrEqual(-0.5)
  expect(Math.max(...numbers.subarray(0, 1000))).toBeLessThan(0.5)
  expect(values(3, 2)).not.toEqual(values(3, 1))
  // As torch_values.py makes them.
  expect([...values(3, 1)]).toEqual([0.10124903917312622, 0.10688060522079468, -0.2933100461959839])
  expect(probe(numbers)).toHaveLength(98)
  expect(probe([5, 6])).toEqual([5, 6])
})

describe('npm run bench:rivals', () => {
  const quick = ['--rounds', '2', '--window-ms', '1', '--batch-size', '2', '--threads', '1']

  test('igcnet against igcnet held to AVX2, in processes of their own', async () => {
    const outcome = await script(
      'rivals/main.ts',
      '--contestants',
      'ours,ours-avx2',
      '--cases',
      'train:plain_igc-L24M2-d20,block-backward:stage-3',
      ...quick,
      '--json',
    )
    expect(outcome.code).toBe(0)
    const [backward, train] = lastJson(outcome) as unknown as [CaseResult, CaseResult]
    expect(backward).toMatchObject({ id: 'block-backward:stage-3', images: 2, timings: { ours: { samples: 2 } } })
    expect(train).toMatchObject({ id: 'train:plain_igc-L24M2-d20', kind: 'train', images: 2, ratios: { ours: 1 } })
    expect(train.timings['ours-avx2']?.median).toBeGreaterThan(0)
    expect(train.resultError).toBeLessThan(2e-3)
  })

  test('what is wrong is one sentence', async () => {
    const lines = [
      [['--cases', 'trian'], 2, /^igcnet: --cases: expected parts of block-forward:stage-1, .* but received "trian"$/],
      [['--contestants', 'tensorflow'], 2, /^igcnet: unknown contestant "tensorflow": expected one of ours, .*$/],
      [
        ['--store', '--batch-size', '2'],
        2,
        /^igcnet: --store: expected the cases as they are but received --batch-size$/,
      ],
      [
        ['--contestants', 'torch', '--cases', 'block-forward:stage-3', '--python', 'no-such-python', ...quick],
        1,
        /igcnet: Error: torch: ended: .*no-such-python.*ENOENT/,
      ],
    ] as const
    for (const [argv, exitCode, message] of lines) {
      const { code, stdout, stderr } = await script('rivals/main.ts', ...argv)
      expect({ code, stdout }).toEqual({ code: exitCode, stdout: '' })
      expect(stderr.trimEnd()).toMatch(message)
    }
  })
})
