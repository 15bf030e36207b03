// Links and the state, without a browser.

import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createServer } from 'vite'

let vite, share, state
before(async () => {
  const root = fileURLToPath(new URL('..', import.meta.url))
  vite = await createServer({ root, server: { middlewareMode: true, ws: false }, appType: 'custom', logLevel: 'error' })
  share = await vite.ssrLoadModule('/src/share.ts')
  state = await vite.ssrLoadModule('/src/state.ts')
})
after(() => vite?.close())

test('any text survives a link', async () => {
  for (const text of ['', 'kind: Ingress\n', 'ä € 😀 \u0000 \u2028', 'x'.repeat(100_000)]) {
    const fragment = await share.toFragment({ text, haproxy: '3.2' })
    assert.match(fragment, /^1[\w-]*$/)
    assert.deepEqual(await share.fromFragment(fragment), { text, haproxy: '3.2' })
  }
})

test('a link of the first version still opens', async () => {
  assert.deepEqual(await share.fromFragment('1i1Yy1jNS0lHKzsxLsVLwzEsvSi0uVooFAA'), {
    haproxy: '3.2',
    text: 'kind: Ingress',
  })
})

test('what is no link is refused', async () => {
  for (const fragment of ['', '1', '2abc', '1!!', 'resources']) {
    await assert.rejects(share.fromFragment(fragment), fragment)
  }
})

test('values of Secrets are left out, from the last to the first', () => {
  const text = 'a: 😀, b: xyz'
  const place = (from, to) => ({ file: '', keyFrom: null, from, to, line: 1 })
  assert.equal(share.withoutSecrets(text, [place(3, 5), place(10, 13)]), 'a: "", b: ""')
})

test('broken text keeps the last good result, and what runs', () => {
  const output = parsed => ({ parsed, files: [{ path: '/x', role: 'config' }] })
  const answer = (text, parsed) => ({ type: 'compiled', text, output: output(parsed), milliseconds: 1 })
  let it = state.start('good', '3.2')
  it = state.next(it, answer('good', true))
  it = state.next(it, { type: 'edited', text: 'bad' })
  it = state.next(it, answer('bad', false))
  assert.equal(it.good.text, 'good')
  assert.equal(it.running, 'good')
  assert.ok(state.isStale(it))
  assert.ok(!state.isCurrent(it))
  it = state.next(it, { type: 'edited', text: 'better' })
  it = state.next(it, answer('better', true))
  assert.ok(!state.isStale(it))
  assert.equal(it.running, 'good')
  assert.equal(state.next(it, { type: 'applied' }).running, 'better')
})

test('an engine that stopped stays explained until it answers', () => {
  let it = state.next(state.start('x', '3.2'), { type: 'engine ready', version: '1' })
  it = state.next(it, { type: 'engine failed', message: 'gone', loaded: true })
  it = state.next(it, { type: 'engine ready', version: '1' })
  assert.equal(it.trouble, 'gone')
  const output = { parsed: true, files: [] }
  it = state.next(it, { type: 'compiled', text: 'x', output, milliseconds: 1 })
  assert.equal(it.trouble, null)
})
