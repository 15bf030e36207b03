// Links and the state, without a browser.

import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createServer } from 'vite'

let vite, share, state, command, curl, where
before(async () => {
  const root = fileURLToPath(new URL('..', import.meta.url))
  vite = await createServer({ root, server: { middlewareMode: true, ws: false }, appType: 'custom', logLevel: 'error' })
  share = await vite.ssrLoadModule('/src/share.ts')
  state = await vite.ssrLoadModule('/src/state.ts')
  command = await vite.ssrLoadModule('/src/command.ts')
  curl = await vite.ssrLoadModule('/src/curl.ts')
  where = await vite.ssrLoadModule('/src/editor/where.ts')
})
after(() => vite?.close())

const shared = (files, more = {}) => ({ files, haproxy: '3.2', configMap: null, running: null, kept: [], ...more })
const file = (text, name = 'resources.yaml') => ({ name, text })

test('any text survives a link', async () => {
  for (const text of ['', 'kind: Ingress\n', 'ä € 😀 \u0000 \u2028', 'x'.repeat(100_000)]) {
    const input = shared([file(text), file('b', 'ünï.yaml')])
    const fragment = await share.toFragment(input)
    assert.match(fragment, /^2[\w-]*$/)
    assert.deepEqual(await share.fromFragment(fragment), input)
  }
})

test('a link carries everything that was chosen', async () => {
  const input = shared([file('a')], {
    configMap: 'ns/name',
    running: [file('before')],
    kept: [{ question: curl.question('http://a.example/'), expected: 'HAProxy answers 404' }],
  })
  assert.deepEqual(await share.fromFragment(await share.toFragment(input)), input)
})

test('links of all versions still open', async () => {
  const input = shared([file('kind: Ingress')])
  assert.deepEqual(await share.fromFragment('1i1Yy1jNS0lHKzsxLsVLwzEsvSi0uVooFAA'), input)
  assert.deepEqual(await share.fromFragment('2q1bKULJSMtYzUtJRSlOyio5WKkotzi8tSk4t1qtMzM1R0lHKzsxLsVLwzEsvSi0uVoqNrQUA'), input)
})

test('what is no link is refused', async () => {
  for (const fragment of ['', '1', '2', '3abc', '2abc', '1!!', 'resources']) {
    await assert.rejects(share.fromFragment(fragment), fragment)
  }
})

test('values of Secrets are left out of each file, from the last to the first', () => {
  const place = (name, from, to) => ({ file: name, keyFrom: null, from, to, line: 1 })
  const files = [file('a: 😀, b: xyz', 'a'), file('c: 1', 'b')]
  const secrets = [place('a', 3, 5), place('b', 3, 4), place('a', 10, 13)]
  assert.deepEqual(share.withoutSecrets(files, secrets), [file('a: "", b: ""', 'a'), file('c: ""', 'b')])
})

const opened = text => state.start(shared([file(text)]))
const answer = (text, parsed) => {
  const output = { parsed, files: [{ path: '/x', role: 'config' }] }
  return { type: 'compiled', files: [file(text)], questions: [], output, milliseconds: 1 }
}

test('broken text keeps the last good result, and what runs', () => {
  const edited = text => ({ type: 'edited', name: 'resources.yaml', text })
  let it = opened('good')
  it = state.next(it, answer('good', true))
  it = state.next(it, edited('bad'))
  it = state.next(it, answer('bad', false))
  assert.equal(it.good.files[0].text, 'good')
  assert.equal(it.running[0].text, 'good')
  assert.ok(state.isStale(it))
  assert.ok(!state.isCurrent(it))
  it = state.next(it, edited('better'))
  it = state.next(it, answer('better', true))
  assert.ok(!state.isStale(it))
  assert.ok(state.isCurrent(it))
  assert.equal(it.running[0].text, 'good')
  assert.equal(state.next(it, { type: 'pinned' }).running[0].text, 'better')
})

test('files have names of their own, and there is always one', () => {
  let it = opened('a')
  const names = () => it.files.map(file => file.name)
  it = state.next(it, { type: 'files added', files: [file('b'), file('c', 'x')] })
  assert.deepEqual(names(), ['resources.yaml', 'resources-2.yaml', 'x'])
  assert.equal(it.active, 'resources-2.yaml')
  it = state.next(it, { type: 'file renamed', name: 'resources-2.yaml', to: 'x' })
  assert.equal(it.active, 'resources-2.yaml')
  it = state.next(it, { type: 'file renamed', name: 'resources-2.yaml', to: ' web.yaml ' })
  assert.deepEqual(names(), ['resources.yaml', 'web.yaml', 'x'])
  assert.equal(it.active, 'web.yaml')
  it = state.next(it, { type: 'file removed', name: 'web.yaml' })
  assert.equal(it.active, 'x')
  for (const name of ['x', 'resources.yaml']) it = state.next(it, { type: 'file removed', name })
  assert.deepEqual(it.files, [file('')])
})

test('the command for a shell has an end that is not in the text', () => {
  const text = command.commandLine([file('a: 1\nEOF'), file('b: 2\n')], '2.8', "o'ns/x")
  assert.equal(
    text,
    "haproxy-ingress render --haproxy-version 2.8 --configmap 'o'\\''ns/x' -f - <<'EOF_'\na: 1\nEOF\n---\nb: 2\nEOF_\n",
  )
})

test('an engine that stopped stays explained until it answers', () => {
  let it = state.next(opened('x'), { type: 'engine ready', version: '1' })
  it = state.next(it, { type: 'engine failed', message: 'gone', loaded: true })
  it = state.next(it, { type: 'engine ready', version: '1' })
  assert.equal(it.trouble, 'gone')
  it = state.next(it, answer('x', true))
  assert.equal(it.trouble, null)
})

test('commands of curl are read as curl reads them', () => {
  const read = text => curl.readRequest(text).question
  const plain = { url: 'http://a/', method: 'GET', headers: [], certificate: false, bodySize: 0 }
  assert.deepEqual(read(' http://a/ '), plain)
  assert.deepEqual(read('curl -sSkL http://a/'), plain)
  assert.deepEqual(read('curl --resolve a:80:127.0.0.1 -o /dev/null "http://a/"'), plain)
  assert.deepEqual(read('curl -I http://a/'), { ...plain, method: 'HEAD' })
  assert.deepEqual(read('curl -XPUT \\\n  -H \'X-A: b: c\' http://a/'), { ...plain, method: 'PUT', headers: [['X-A', 'b: c']] })
  assert.deepEqual(read('curl -G -d a=1 -d b=2 http://a/?c=3').url, 'http://a/?c=3&a=1&b=2')
  const posted = read("curl -d 'ü=1' http://a/")
  assert.deepEqual([posted.method, posted.bodySize], ['POST', 4])
  assert.deepEqual(read('curl -u ann:secret http://a/').headers, [['Authorization', 'Basic YW5uOnNlY3JldA==']])
  assert.deepEqual(read('curl --cert c.pem --interface 192.0.2.1 http://a/'), { ...plain, certificate: true, client: '192.0.2.1' })
  assert.deepEqual(curl.readRequest('curl --tlsv1.3 http://a/').ignored, ['--tlsv1.3'])
  for (const wrong of ['curl', "curl 'http://a", 'http://a/ b', 'curl -H']) assert.throws(() => read(wrong), wrong)
})

test('a request that is written as a command reads as the same', () => {
  const whole = {
    url: "http://a/b?c='d'",
    method: 'POST',
    headers: [['X-A', "it's \\ \"quoted\""], ['Content-Type', 'a/b']],
    certificate: true,
    client: '2001:db8::1',
    bodySize: 12,
  }
  assert.deepEqual(curl.readRequest(curl.toCurl(whole)).question, whole)
  assert.deepEqual(curl.readRequest(curl.toCurl(curl.question('https://a/'))).question, curl.question('https://a/'))
})

test('a line of YAML knows the fields around it', async () => {
  const { Text } = await import('@codemirror/state')
  const doc = Text.of(
    'a: 1\n---\nkind: Ingress\nspec:\n  rules:\n  - host: x\n    http:\n      paths:\n        - path: /\n          pathType: Prefix\n          backend:\n            service:\n              name: a\n  tls:\n    - hosts: [x]'.split('\n'),
  )
  const at = (line, column) => {
    const { kind, path } = where.whereIs(doc, line, column)
    return `${kind} ${path.join('.')}`
  }
  assert.equal(at(1, 0), 'null ')
  assert.equal(at(5, 2), 'Ingress spec')
  assert.equal(at(6, 4), 'Ingress spec.rules')
  assert.equal(at(7, 4), 'Ingress spec.rules')
  assert.equal(at(9, 10), 'Ingress spec.rules.http.paths')
  assert.equal(at(10, 10), 'Ingress spec.rules.http.paths')
  assert.equal(at(13, 14), 'Ingress spec.rules.http.paths.backend.service')
  assert.equal(at(15, 6), 'Ingress spec.tls')
})
