/** docs/troubleshooting.md against the sources: every error code and every reason has its entry, and no entry is stale. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const entries = [...read('docs/troubleshooting.md').matchAll(/^### (.*)$/gm)].map(match => match[1] as string)
const page = read('docs/troubleshooting.md').replace(/\s+/g, ' ')

function textOf(folder: string): string {
  const files = (readdirSync(join(root, folder), { recursive: true }) as string[]).filter(file =>
    /\.(ts|cc)$/.test(file),
  )
  return files.map(file => read(join(folder, file))).join('\n')
}

/** All sources; strings that are cut over lines are whole. */
const sources = `${textOf('src')}\n${textOf('native')}`.replace(/['`"] \+\n\s*['`"]/g, '')

describe('every error of the sources is on the page', () => {
  it.each([...new Set(sources.match(/ERR_IGC_[A-Z_]+/g))])('%s', code => {
    expect(page).toContain(code)
  })

  // The sentences about a plug-in or a GPU, without what is put into them: three words and more.
  const native = ['native/cuda/cuda_libraries.cc', 'native/cuda/cuda_plugin.cc', 'native/core/plugin.cc'].map(read)
  const sentences = native
    .flatMap(text => [...text.matchAll(/"([^"\n]+)"/g)].map(match => (match[1] as string).trim()))
    .filter(text => /^\w+ \S+ \S+/.test(text) && !text.startsWith('device '))
  const probing = [...read('src/plugin.ts').matchAll(/(?:text|reason): `(\w+ [^`$]+)/g)].map(match =>
    (match[1] as string).trim(),
  )
  it('there are many', () => expect([sentences.length > 12, probing.length > 2]).toEqual([true, true]))
  it.each([...new Set([...sentences, ...probing])])('%s', text => {
    expect(page).toContain(text)
  })
})

describe('every entry is in the sources', () => {
  it('there are many', () => expect(entries.length).toBeGreaterThan(15))
  it.each(entries)('%s', entry => {
    // Versions come from constants there.
    const parts = entry.split(/ ?\d+\.\d+ ?/).filter(part => part !== '')
    for (const part of parts) expect(sources).toContain(part)
  })
})
