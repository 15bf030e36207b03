// The engine in the browser says what the binary says: the same bytes for the same input.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import test, { after, before } from 'node:test'
import { fileURLToPath } from 'node:url'

import { binary, run } from './binary.mjs'
import { initSync, Playground } from '../src/engine/engine.js'

const examples = fileURLToPath(new URL('../../examples/', import.meta.url))
let folder

before(() => {
  assert.ok(binary, 'HAPROXY_INGRESS names the binary to compare with')
  const wasm = readFileSync(new URL('../src/engine/engine_bg.wasm', import.meta.url))
  initSync({ module: wasm })
  folder = mkdtempSync(join(tmpdir(), 'parity-'))
})
after(() => folder && rmSync(folder, { recursive: true }))

const inputs = [
  ...readdirSync(examples).filter(it => it.endsWith('.yaml')).map(it => examples + it),
  fileURLToPath(new URL('mistakes.yaml', import.meta.url)),
]
const VERSIONS = ['2.4', '2.6', '2.8', '3.0', '3.2', '3.4']

for (const path of inputs) {
  test(`${basename(path)} gives the same here and there for every HAProxy that can be chosen`, async () => {
    const text = readFileSync(path, 'utf8')
    const configMap = /^# configmap: (\S+)$/m.exec(text)?.[1]
    for (const haproxy of VERSIONS) await compare(path, text, haproxy, configMap)
  })
}

test('every case gives the same here and there', async () => {
  const { prelude, cases } = JSON.parse(await run(join(dirname(binary), 'haproxy-ingress-cases'), []))
  assert.ok(cases.length > 400, `only ${cases.length} cases`)
  const path = join(folder, 'case.yaml')
  const paths = [path, path.replace('case', 'other')]
  const work = cases.map((it, index) => async at => {
    const text = `${it.text}---\n${prelude}`
    writeFileSync(at, text)
    const haproxy = it.options.haproxy ?? VERSIONS[index % VERSIONS.length]
    await compare(at, text, haproxy, 'ingress-controller/haproxy-ingress', `${it.file}:${it.line} ${it.title}`)
  })
  // The binary is a process for each: two at a time.
  await Promise.all(
    paths.map(async at => {
      for (let next = work.pop(); next; next = work.pop()) await next(at)
    }),
  )
  console.log(`# ${cases.length} cases give the same bytes and findings in the browser's engine and in the binary`)
})

test('places are counted as JavaScript counts', () => {
  const path = inputs.at(-1)
  const text = readFileSync(path, 'utf8')
  const { diagnostics, origins } = compile(path, text, '3.2')
  const written = diagnostics.flatMap(it => {
    const place = origins[it.origin].place
    return place && it.code === 'invalid-value' ? [text.slice(place.from, place.to)] : []
  })
  assert.deepEqual(written, ['"sööön 😀"'])
})

async function compare(path, text, haproxy, configMap, name = path) {
  const flags = configMap ? ['--configmap', configMap] : []
  const words = ['render', '-f', path, '--haproxy-version', haproxy, '--format', 'json', ...flags]
  const there = JSON.parse(await run(binary, words))
  const here = compile(path, text, haproxy, configMap)
  const texts = files => files.filter(it => it.role !== 'certificate').map(it => [it.path, it.content])
  assert.ok(here.files[0].content.length > 0)
  assert.deepEqual(texts(here.files), texts(there.files), `${name} for HAProxy ${haproxy}`)
  const codes = it => [it.severity, it.code, it.message, it.outcome, it.help]
  assert.deepEqual(here.diagnostics.map(codes), there.diagnostics.map(codes), `${name} for HAProxy ${haproxy}`)
}

function compile(name, text, haproxy, configMap) {
  const now = Math.floor(Date.now() / 1000)
  const playground = new Playground(JSON.stringify({ haproxy, now, ...(configMap ? { configMap } : {}) }))
  try {
    return JSON.parse(playground.compile(JSON.stringify({ files: [{ name, text }] })))
  } finally {
    playground.free()
  }
}
