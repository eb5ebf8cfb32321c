/** The layer lint (scripts/check-layers.ts): each rule is fed a violation and a source that is fine. */
import { describe, expect, it } from 'vitest'
import { checkLayers } from '../../scripts/check-layers.ts'

const check = (path: string, ...lines: string[]) =>
  checkLayers([{ path, text: ['// what is here', ...lines, ''].join('\n') }])

describe('imports in src', () => {
  it.each([
    ['src/ops/add.ts', "import { Tensor } from '../tensor.ts'"],
    ['src/ops/add.ts', "import { native } from '../native.ts'"],
    ['src/tensor.ts', "import { native } from './native.ts'"],
    ['src/autograd.ts', "import type { Tensor } from './tensor.ts'"],
    ['src/nn/linear.ts', "import { linear } from '../ops/linear.ts'"],
    ['src/nn/linear.ts', "import { Module } from './module.ts'"],
    ['src/data/loader.ts', "import { tensor } from '../tensor.ts'"],
    ['src/optim/sgd.ts', "import { sgdStep } from '../ops/sgd-step.ts'"],
    ['src/models/plain-igc.ts', "export { Sequential } from '../nn/sequential.ts'"],
    ['src/train/trainer.ts', "import { digits } from '../data/digits.ts'"],
    ['src/cli/train.ts', "const trainer = await import('../train/trainer.ts')"],
    ['src/index.ts', "export * as models from './models/index.ts'"],
    ['src/nn/linear.ts', "// as in '../models/plain.ts'", "import { readFileSync } from 'node:fs'"],
    ['src/cli/version.ts', "import manifest from '../../package.json' with { type: 'json' }"],
  ])('%s may: %s', (path, ...lines) => {
    expect(check(path, ...lines)).toEqual([])
  })

  it.each([
    ['src/ops/add.ts', "import { Linear } from '../nn/linear.ts'", 'ops must not import nn (../nn/linear.ts)'],
    ['src/tensor.ts', "import { add } from './ops/add.ts'", 'core must not import ops (./ops/add.ts)'],
    [
      'src/nn/linear.ts',
      "import { plain } from '../models/plain.ts'",
      'nn must not import models (../models/plain.ts)',
    ],
    ['src/nn/linear.ts', "import { digits } from '../data/digits.ts'", 'nn must not import data (../data/digits.ts)'],
    ['src/nn/linear.ts', "import { native } from '../native.ts'", 'nn must not import native (../native.ts)'],
    [
      'src/models/plain.ts',
      "export * from '../train/trainer.ts'",
      'models must not import train (../train/trainer.ts)',
    ],
    ['src/train/trainer.ts', "await import('../cli/main.ts')", 'train must not import cli (../cli/main.ts)'],
    ['src/ops/add.ts', "import type { Net } from '../index.ts'", 'ops must not import index (../index.ts)'],
    [
      'src/ops/add.ts',
      "import '../../test/support/x.ts'",
      'src/ must not import test/support/x.ts, which is outside of it',
    ],
    [
      'src/random.ts',
      "import { native } from './native.ts'",
      'only src/ops and src/tensor.ts, src/autograd.ts, src/deferred.ts, src/device.ts, src/recording.ts, src/scope.ts import native.ts',
    ],
  ])('%s may not: %s', (path, line, message) => {
    expect(check(path, '', line)).toEqual([`${path}:3: ${message}`])
  })

  it('finds an import over several lines, and names the line where it ends', () => {
    expect(check('src/ops/add.ts', 'import {', '  Linear,', "} from '../nn/linear.ts'")).toEqual([
      'src/ops/add.ts:4: ops must not import nn (../nn/linear.ts)',
    ])
  })

  it('asks for a place in the table for a new folder', () => {
    expect(check('src/misc/x.ts')).toEqual([
      'src/misc/x.ts:1: src/misc/ is no layer; add it to mayImport in scripts/check-layers.ts',
    ])
  })
})

describe('includes in native', () => {
  it.each([
    ['native/core/shape.cc', '#include "core/error.h"'],
    ['native/cpu/conv2d.cc', '#include "core/conv2d.h"', '#include "cpu/dense.h"', '#include <hwy/highway.h>'],
    ['native/binding/addon.cc', '#include <napi.h>', '#include "cpu/cpu.h"', '#include "reference/reference.h"'],
    ['native/reference/reorder.cc', '#include <vector>', '// #include "cpu/dense.h"'],
  ])('%s may: %s', (path, ...lines) => {
    expect(check(path, ...lines)).toEqual([])
  })

  it.each([
    [
      'native/core/shape.cc',
      '#include "reference/array.h"',
      'native/core must not include native/reference ("reference/array.h")',
    ],
    [
      'native/cpu/conv2d.cc',
      '#include "reference/array.h"',
      'native/cpu must not include native/reference ("reference/array.h")',
    ],
    ['native/cuda/conv2d.cu', '#include "cpu/dense.h"', 'native/cuda must not include native/cpu ("cpu/dense.h")'],
    [
      'native/reference/add.cc',
      '#include "binding/addon.h"',
      'native/reference must not include native/binding ("binding/addon.h")',
    ],
    ['native/binding/addon.cc', '#include "cpu/dense.h"', 'native/binding must not include native/cpu ("cpu/dense.h")'],
    ['native/cpu/add.cc', '#include <napi.h>', 'only native/binding includes <napi.h>'],
    ['native/core/stream.h', '#  include <node_api.h>', 'only native/binding includes <node_api.h>'],
    ['native/cpu/add.cc', '#include "../core/error.h"', 'includes are relative to native/: "../core/error.h"'],
  ])('%s may not: %s', (path, line, message) => {
    expect(check(path, '', line)).toEqual([`${path}:3: ${message}`])
  })
})

describe('form', () => {
  const long = Array.from({ length: 400 }, (_, index) => `const x${index} = ${index}`)

  it('takes 400 lines and no more, unless the first comment gives the reason', () => {
    expect(check('src/ops/add.ts', ...long.slice(1))).toEqual([])
    expect(check('src/ops/add.ts', ...long)).toEqual([
      'src/ops/add.ts:1: 401 lines: split it, or give the reason in its first comment line, as in "// long: …"',
    ])
    const text = ['/**', ' * long: one table', ' */', ...long].join('\n')
    expect(checkLayers([{ path: 'src/ops/add.ts', text }])).toEqual([])
  })

  it.each(['utils', 'common', 'helpers'])('refuses a folder %s/', folder => {
    expect(check(`test/${folder}/x.ts`)).toEqual([
      `test/${folder}/x.ts:1: a folder ${folder}/ says nothing of what is in it; name the file by what it does`,
    ])
  })

  it('wants an opening comment, after #! too, or in the own header of a .cc', () => {
    const opens = (path: string, text: string) => checkLayers([{ path, text }]).length === 0
    expect(opens('scripts/a.mjs', 'export {}\n')).toBe(false)
    expect(opens('native/core/a.h', '#pragma once\n// late\n')).toBe(false)
    expect(opens('native/core/a.cc', '#include "core/b.h"\n')).toBe(false)
    expect(opens('native/core/a.cc', '#include "core/a.h"\n')).toBe(true)
    expect(opens('src/cli/main.ts', '#!/usr/bin/env node\n/** The command line. */\n')).toBe(true)
    expect(opens('test/golden/twin.py', '"""The twin."""\n')).toBe(true)
  })

  it('refuses paths of one machine, and only those', () => {
    const home = ['', 'home', 'me', 'cifar'].join('/')
    expect(check('README.md', `igcnet train --data-dir ${home}`)).toEqual([
      `README.md:2: a path of one machine: igcnet train --data-dir ${home}`,
    ])
    const fine = [
      'https://example.org/home/me',
      `~/${'work'}/igcnet`,
      `./${'root'}/x`,
      '/usr/include',
      `at home/${'work'}/school`,
    ]
    expect(check('README.md', ...fine)).toEqual([])
  })
})
