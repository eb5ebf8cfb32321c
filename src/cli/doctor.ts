/**
 * `igcnet doctor`: what igcnet finds on this machine, for a person and for a bug report. It works where the addon does
 * not load, and says why; the exit code is then 1. Checked in test/cli/doctor.test.ts.
 */
import type { Command } from 'commander'
import { DeviceError } from '../errors.ts'
import { VARIABLES } from './environment.ts'
import { nearest } from './failure.ts'
import { type DeviceReport, inspectMachine, type MachineReport } from './machine.ts'
import type { Terminal } from './terminal.ts'
import { path } from './values.ts'

/** Adds the command to the program. */
export function addDoctor(program: Command, terminal: Terminal): void {
  program
    .command('doctor')
    .description('Print versions, devices, libraries, memory, variables and data sets, and what is missing.')
    .option('--data-dir <dir>', 'folder of the CIFAR files, or its parent', path('--data-dir'), 'data')
    .option('--json', 'print one JSON object instead')
    .action(async ({ dataDir, json }: { dataDir: string; json?: boolean }) => {
      const report = await inspectMachine(dataDir)
      terminal.out(json ? `${JSON.stringify(report)}\n` : reportText(report))
      if (!report.addon.loaded) throw new DeviceError('doctor: the native addon is not loaded')
    })
}

type Line = readonly [name: string, value: string]

function reportText(report: MachineReport): string {
  const { versions, platform, processor, memory, addon, kernels, libraries, devices, data } = report
  const sections: Record<string, Line[]> = {
    Versions: [
      ['igcnet', versions.igcnet],
      ['Node', `${versions.node}, Node-API ${versions.napi}`],
      ['platform', `${platform.os} ${platform.arch}, ${platform.release}, libc: ${platform.libc}`],
    ],
    Machine: [
      ['processor', `${processor.model}, ${processor.cores} cores`],
      ['instruction sets', processor.instructionSets?.join(', ') || 'the system does not tell'],
      ['memory', `${gibibytes(memory.total)} GiB, ${gibibytes(memory.free)} GiB free`],
    ],
    'Native addon': [
      [
        'addon',
        addon.loaded ? `loaded${addon.path === null ? '' : ` from ${addon.path}`}` : `not loaded: ${addon.reason}`,
      ],
      ['kernels', kernels ? `${kernels.simd}, ${kernels.f32Lanes} floats a vector` : 'not known'],
      ['oneDNN', oneDnnText(report)],
      ['OpenMP', libraries.openmp ?? 'no shared library of it is loaded'],
    ],
    Devices: Object.entries(devices).map(([name, device]) => [name, deviceText(device)]),
    'Data sets': Object.entries(data).map(([name, set]) => [name, set.found ? 'found' : set.reason]),
    'Environment variables': variableLines(report.environment),
  }
  return Object.entries(sections)
    .map(([title, lines]) => `${title}\n${lines.map(([name, value]) => `  ${name.padEnd(20)} ${value}\n`).join('')}`)
    .join('\n')
}

function oneDnnText({ libraries, kernels }: MachineReport): string {
  const file = libraries.onednn ?? 'no shared library of it is loaded'
  return kernels?.onednn ? `${kernels.onednn} (${file})` : file
}

function deviceText(device: DeviceReport): string {
  if (!device.works) return `not available: ${device.reason}`
  if ('what' in device) return `works: ${device.what}`
  return `works, ${device.threads} thread${device.threads === 1 ? '' : 's'}`
}

function variableLines(set: Record<string, string>): Line[] {
  const unknown = Object.keys(set).filter(name => !Object.hasOwn(VARIABLES, name))
  return [
    ...Object.entries(VARIABLES).map(([name, meaning]): Line => [name, `${valueText(set[name])} (${meaning})`]),
    ...unknown.map((name): Line => {
      const meant = nearest(name, Object.keys(VARIABLES))
      return [name, `${valueText(set[name])} (igcnet does not know it${meant ? `: did you mean ${meant}?` : ''})`]
    }),
  ]
}

function valueText(value: string | undefined): string {
  return value === undefined ? 'not set' : JSON.stringify(value)
}

function gibibytes(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(1)
}
