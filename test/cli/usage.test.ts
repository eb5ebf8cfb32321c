/** Command lines that make no sense: one sentence on standard error, its literal text, exit code 2; and the help. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { models } from '../../src/index.ts'
import { igcnet, root, start } from './command-line.ts'

const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version

const whole = (option: string, range: string, text: string) =>
  `${option}: expected a whole number ${range} but received "${text}"`

/** A command line, and what is said of it. */
const wrong: [string, string][] = [
  ['trian', 'unknown command "trian": did you mean train?'],
  ['sumary', 'unknown command "sumary": did you mean summary?'],
  [
    'frobnicate',
    'unknown command "frobnicate": expected one of train, evaluate, summary, reproduce, bench, doctor, help',
  ],
  ['help trian', 'unknown command "trian": did you mean train?'],
  ['help reproduce cuonts', 'unknown command "cuonts": did you mean counts?'],
  ['help train plain_igc', 'help train: expected no further name but received "plain_igc"'],
  ['--verson', 'unknown option --verson: did you mean --version?'],
  ['train --netwrok plain', 'unknown option --netwrok: did you mean --network?'],
  ['train --epochs 5', 'unknown option --epochs: did you mean --num-epochs?'],
  ['train --batchsize=5', 'unknown option --batchsize=5: did you mean --batch-size?'],
  ['train --frobnicate', 'unknown option --frobnicate: `igcnet train --help` lists the options'],
  ['summary --lr 0.1', 'unknown option --lr: `igcnet summary --help` lists the options'],
  ['train plain_igc', 'train: expected options only but received "plain_igc"'],
  ['train --depth', 'train: expected a value after --depth <n>'],
  ['evaluate', 'evaluate: expected --checkpoint <path>'],
  ['train --network plain_icg', 'unknown network "plain_icg": did you mean plain_igc?'],
  ['train --network --depth', `unknown network "--depth": expected one of ${Object.keys(models.networks).join(', ')}`],
  ['train --dataset cifar', 'unknown dataset "cifar": did you mean cifar10?'],
  ['train --device gpu', 'unknown device "gpu": did you mean cuda?'],
  ['train --device cp', 'unknown device "cp": did you mean cpu?'],
  ['train --aug-type papre', 'unknown augmentation "papre": did you mean paper?'],
  ['evaluate --checkpoint x --split tset', 'unknown split "tset": did you mean test?'],
  ['train --depth 20x', whole('--depth', 'from 1 to 10000', '20x')],
  ['train --primary-partition 0', whole('--primary-partition', 'from 1 to 65536', '0')],
  ['train --secondary-partition -2', whole('--secondary-partition', 'from 1 to 65536', '-2')],
  ['train --batch-size 0', whole('--batch-size', 'from 1 to 65536', '0')],
  ['train --batch-size -1', whole('--batch-size', 'from 1 to 65536', '-1')],
  ['train --batch-size 1e9', whole('--batch-size', 'from 1 to 65536', '1e9')],
  ['train --test-batch-size NaN', whole('--test-batch-size', 'from 1 to 65536', 'NaN')],
  ['train --num-epochs 0.5', whole('--num-epochs', 'from 1 to 1000000', '0.5')],
  ['train --num-classes 0', whole('--num-classes', 'from 1 to 1000000', '0')],
  ['train --train-examples 0', whole('--train-examples', 'of 1 or more', '0')],
  ['train --test-examples many', whole('--test-examples', 'of 1 or more', 'many')],
  ['train --threads 0', whole('--threads', 'from 1 to 1024', '0')],
  ['train --threads 1025', whole('--threads', 'from 1 to 1024', '1025')],
  ['train --rand-seed -1', whole('--rand-seed', 'of 0 or more', '-1')],
  ['train --checkpoint-epochs 0', whole('--checkpoint-epochs', 'of 1 or more', '0')],
  ['train --load-epoch last', whole('--load-epoch', 'of 1 or more', 'last')],
  ['train --lr -1', '--lr: expected a number above 0 and up to 1000 but received "-1"'],
  ['train --lr NaN', '--lr: expected a number above 0 and up to 1000 but received "NaN"'],
  ['train --lr-factor 2', '--lr-factor: expected a number above 0 and up to 1 but received "2"'],
  ['train --bn-momentum 1', '--bn-momentum: expected a number of 0 or more and below 1 but received "1"'],
  ['train --momentum 1', '--momentum: expected a number of 0 or more and below 1 but received "1"'],
  ['train --wd 2', '--weight-decay: expected a number of 0 or more and up to 1 but received "2"'],
  ['train --label-smoothing 1', '--label-smoothing: expected a number of 0 or more and below 1 but received "1"'],
  [
    'train --lr-steps 3,2',
    '--lr-steps: expected rising whole numbers of 1 or more separated by commas, such as 200,300,350, or none but received "3,2"',
  ],
  ['train --load-epoch 3', '--load-epoch: expected --model-prefix, the folder of the run to continue, with it'],
  [
    'train --model-prefix a --run-dir b',
    '--model-prefix: expected only one of --model-prefix and --run-dir, which mean the same',
  ],
  ['train --model-prefix a --load-epoch 1 --resume a', '--load-epoch: expected only one of --load-epoch and --resume'],
  [
    'train --data-dir x',
    '--data-dir: expected --dataset cifar10, cifar100 or folder with it; the digits come with igcnet',
  ],
  ['train --dataset folder --data-dir x --download', '--download: expected --dataset cifar10 or cifar100 with it'],
  ['train --download', '--download: expected --dataset cifar10 or cifar100 with it; the digits come with igcnet'],
  ['reproduce cuonts', 'unknown command "cuonts": did you mean counts?'],
  ['reproduce counts --netwrok plain', 'unknown option --netwrok: did you mean --network?'],
  ['reproduce counts --frobnicate', 'unknown option --frobnicate: `igcnet reproduce counts --help` lists the options'],
  ['reproduce counts plain', 'reproduce counts: expected options only but received "plain"'],
  ['reproduce counts --network', 'reproduce counts: expected a value after --network <name>'],
  ['bench --depht 20', 'unknown option --depht: did you mean --depth?'],
  ['bench --samples 0', whole('--samples', 'from 1 to 100000', '0')],
  ['bench --sample-ms fast', whole('--sample-ms', 'from 1 to 600000', 'fast')],
  ['bench --batch-size 0', whole('--batch-size', 'from 1 to 65536', '0')],
  ['bench --network plain_icg', 'unknown network "plain_icg": did you mean plain_igc?'],
  ['bench --consistent', '--consistent: expected --network resnet_igc with it but received plain_igc'],
  ['train --consistent', '--consistent: expected --network resnet_igc with it but received plain_igc'],
  [
    'train --width 8',
    '--width: expected --network xception, resnet_xception, igcv2, resnet_igcv2 with it but received plain_igc',
  ],
  ['summary --network igcv2 --permutations 2', '--permutations: expected --network igcv3_d with it but received igcv2'],
  ['bench --network plain --growth M', '--growth: expected --network resnet_igc_imgnet_d18 with it but received plain'],
  ['train --growth X', 'unknown growth "X": expected one of L, M'],
  ['train --multiplier 0', '--multiplier: expected a number of 0.01 or more and up to 64 but received "0"'],
  ['train --permutations 3', whole('--permutations', 'from 1 to 2', '3')],
  [
    'train --network igcv3_d --frame imagenet',
    'config: expected cifar for frame, as digits has images of 32x32 and not of 224x224, but received "imagenet"',
  ],
  ['train --num-classes 9', 'config: expected at least the 10 classes of digits for numClasses but received 9'],
  [
    'evaluate --checkpoint x --train-examples 5',
    '--train-examples: expected --split train with it but received --split test',
  ],
]

describe('one sentence and exit code 2', () => {
  test.each(wrong)('igcnet %s', async (line, sentence) => {
    expect(await igcnet(...line.split(' '))).toEqual({ code: 2, stdout: '', stderr: `igcnet: ${sentence}\n` })
  })

  test('from a process, too', async () => {
    const outcome = await start(['train', '--network', 'plain_icg', '--json']).ended
    expect(outcome).toMatchObject({
      code: 2,
      stdout: '',
      stderr: 'igcnet: unknown network "plain_icg": did you mean plain_igc?\n',
    })
  })
})

describe('help', () => {
  test('igcnet alone', async () => {
    const { code, stdout, stderr } = await igcnet()
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    for (const command of ['train', 'evaluate', 'summary', 'bench', 'doctor'])
      expect(stdout).toContain(`  ${command} [options] `)
    expect(stdout).toMatch(/^ {2}reproduce {2,}\S/m)
    expect((await igcnet('--help')).stdout).toBe(stdout)
    expect((await igcnet('help')).stdout).toBe(stdout)
  })

  test('of train: groups, and every option on one line with its default', async () => {
    const { code, stdout, stderr } = await igcnet('train', '--help')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect((await igcnet('help', 'train')).stdout).toBe(stdout)
    const lines = stdout.split('\n')
    for (const group of ['Network:', 'Data:', 'Training:', 'Device:', 'Run:']) expect(lines).toContain(group)
    const authors =
      'network depth primary-partition secondary-partition batch-size test-batch-size num-epochs lr lr-factor lr-steps ' +
      'dataset data-dir aug-type bn-momentum rand-seed checkpoint-epochs model-prefix load-epoch'
    const ours =
      'resume num-classes train-examples test-examples device threads run-dir json download consistent momentum ' +
      'weight-decay label-smoothing width group-channels multiplier growth permutations frame dropout'
    for (const name of `${authors} ${ours}`.split(' ')) {
      expect(lines).toContainEqual(expect.stringMatching(new RegExp(`^ {2}(--wd, )?--${name}( <\\w+>)? {2,}\\S`)))
    }
    const withoutDefault = ['--resume', '--model-prefix', '--load-epoch', '--json', '--help']
    const options = lines.filter(line => /^ +-/.test(line))
    for (const line of options) {
      if (!withoutDefault.some(name => line.includes(`${name} `))) expect(line).toMatch(/\(default: .+\)$/)
    }
  })

  test('of a command of a command', async () => {
    const counts = await igcnet('reproduce', 'counts', '--help')
    expect(counts.stdout).toMatch(/^Usage: igcnet reproduce counts \[options\]\n/)
    expect(await igcnet('help', 'reproduce', 'counts')).toEqual(counts)
    expect(await igcnet('help', 'reproduce')).toEqual(await igcnet('reproduce', '--help'))
  })

  test("of evaluate: what is not given is the run's, but the split", async () => {
    const { stdout } = await igcnet('evaluate', '--help')
    const defaults = [...stdout.matchAll(/^ +(--[\w-]+).*\(default: (.*)\)$/gm)].map(match => match.slice(1))
    const ofRun = 'dataset data-dir train-examples test-examples download test-batch-size device threads'
    expect(
      defaults
        .filter(([option]) => option !== '--split')
        .map(([option, text]) => `${option} ${text}`)
        .sort(),
    ).toEqual(
      ofRun
        .split(' ')
        .map(name => `--${name} the run's`)
        .sort(),
    )
  })

  test("of train: the defaults of --bn-momentum are the networks'", async () => {
    const { stdout } = await igcnet('train', '--help')
    expect(stdout).toContain('(default: 0.99; 0.9 for residual and ImageNet networks, and digits)')
    for (const [name, { bnMomentum, images }] of Object.entries(models.networks)) {
      expect([name, bnMomentum]).toEqual([name, name.startsWith('resnet') || 'imagenet' in images ? 0.9 : 0.99])
    }
  })

  test.each(['group-channels', 'dropout'] as const)('of train: --%s names the networks that take it', async option => {
    const { stdout } = await igcnet('train', '--help')
    const text = new RegExp(`--${option} <\\w+> +(.*?):`).exec(stdout)?.[1]
    const key = option === 'group-channels' ? 'groupChannels' : 'dropout'
    const takers = Object.entries(models.networks).filter(([, { takes }]) => key in takes)
    // A variant's name says enough.
    expect(text?.split(', ')).toEqual(takers.map(([name]) => name).filter(name => !/_0\.\d/.test(name)))
  })

  test.each(['train', 'summary', 'bench'])('of %s lists every network in one line', async command => {
    const { stdout } = await igcnet(command, '--help')
    for (const [name, { about }] of Object.entries(models.networks)) {
      expect(stdout).toMatch(new RegExp(`^ {2}${name.replaceAll('.', '\\.')} +`, 'm'))
      expect(stdout).toContain(` ${about}\n`)
    }
  })

  test('the version is that of the package', async () => {
    expect(await igcnet('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
    expect((await igcnet('-V')).stdout).toBe(`${version}\n`)
  })
})
