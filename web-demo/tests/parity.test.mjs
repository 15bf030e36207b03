// The engine in the browser says what the binary says: the same bytes for the same input.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
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

for (const name of readdirSync(examples).filter(it => it.endsWith('.yaml'))) {
  for (const haproxy of ['2.4', '2.6', '3.2']) {
    test(`${name} for HAProxy ${haproxy} gives the same here and there`, async () => {
      const there = JSON.parse(await render(examples + name, haproxy))
      const here = compile(examples + name, haproxy)
      const texts = files => files.filter(it => it.role !== 'certificate').map(it => [it.path, it.content])
      assert.ok(here.files[0].content.length > 0)
      assert.deepEqual(texts(here.files), texts(there.files))
      const codes = it => [it.severity, it.code, it.message, it.outcome]
      assert.deepEqual(here.diagnostics.map(codes), there.diagnostics.map(codes))
    })
  }
}

function compile(path, haproxy) {
  const playground = new Playground(JSON.stringify({ haproxy, now: Math.floor(Date.now() / 1000) }))
  try {
    return JSON.parse(playground.compile(JSON.stringify([{ name: path, text: readFileSync(path, 'utf8') }])))
  } finally {
    playground.free()
  }
}

/** What the binary prints; that it found something is no failure here. */
async function render(path, haproxy) {
  const words = ['render', '-f', path, '--haproxy-version', haproxy, '--format', 'json']
  const { stdout } = await promisify(execFile)(binary, words, { maxBuffer: 2 ** 26 })
  return stdout
}
