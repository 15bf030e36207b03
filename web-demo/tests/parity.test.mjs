// The engine in the browser says what the binary says: the same bytes for the same input.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { basename } from 'node:path'
import test, { before } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { initSync, Playground } from '../src/engine/engine.js'

const examples = fileURLToPath(new URL('../../examples/', import.meta.url))
const binary = process.env.HAPROXY_INGRESS

before(() => {
  assert.ok(binary, 'HAPROXY_INGRESS names the binary to compare with')
  const wasm = readFileSync(new URL('../src/engine/engine_bg.wasm', import.meta.url))
  initSync({ module: wasm })
})

const inputs = [
  ...readdirSync(examples).filter(it => it.endsWith('.yaml')).map(it => examples + it),
  fileURLToPath(new URL('mistakes.yaml', import.meta.url)),
]

for (const path of inputs) {
  for (const haproxy of ['2.4', '2.6', '3.2']) {
    test(`${basename(path)} for HAProxy ${haproxy} gives the same here and there`, async () => {
      const there = JSON.parse(await render(path, haproxy))
      const here = compile(path, haproxy)
      const texts = files => files.filter(it => it.role !== 'certificate').map(it => [it.path, it.content])
      assert.ok(here.files[0].content.length > 0)
      assert.deepEqual(texts(here.files), texts(there.files))
      const codes = it => [it.severity, it.code, it.message, it.outcome]
      assert.deepEqual(here.diagnostics.map(codes), there.diagnostics.map(codes))
    })
  }
}

test('places are counted as JavaScript counts', () => {
  const path = inputs.at(-1)
  const text = readFileSync(path, 'utf8')
  const { diagnostics, origins } = compile(path, '3.2')
  const written = diagnostics.flatMap(it => {
    const place = origins[it.origin].place
    return place && it.code === 'invalid-value' ? [text.slice(place.from, place.to)] : []
  })
  assert.deepEqual(written, ['"sööön 😀"'])
})

function compile(path, haproxy) {
  const playground = new Playground(JSON.stringify({ haproxy, now: Math.floor(Date.now() / 1000) }))
  try {
    return JSON.parse(playground.compile(JSON.stringify([{ name: path, text: readFileSync(path, 'utf8') }])))
  } finally {
    playground.free()
  }
}

/** What the binary prints. Status 1 says that it found mistakes, which is no failure here. */
async function render(path, haproxy) {
  const words = ['render', '-f', path, '--haproxy-version', haproxy, '--format', 'json']
  const run = promisify(execFile)(binary, words, { maxBuffer: 2 ** 26 })
  const { stdout } = await run.catch(error => {
    if (error.code !== 1) throw new Error(error.stderr || `cannot run ${binary}`)
    return error
  })
  return stdout
}
