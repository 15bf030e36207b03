// Previews in other pages, and the documentation that uses them.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, extname, join, posix } from 'node:path'
import test, { after, before } from 'node:test'
import { fileURLToPath } from 'node:url'

import { build } from '../docs/build.mjs'
import { binary, run } from './binary.mjs'
import { start } from './browser.mjs'
import { textOf, visit } from './visit.mjs'

const axe = readFileSync(new URL('../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')
const hello = readFileSync(new URL('../../examples/hello.yaml', import.meta.url), 'utf8')
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm', '.svg': 'image/svg+xml' }

let site, folder, pages, docs, other
before(async () => {
  site = await start()
  folder = mkdtempSync(join(tmpdir(), 'site-'))
  pages = build(JSON.parse(await run(join(dirname(binary), 'haproxy-ingress-cases'), [])), folder)
  docs = await serve(path => readFileSync(join(folder, path)))
  // A page of somebody else, on an origin of its own.
  other = await serve(() => Buffer.from(stranger()))
})
after(async () => {
  docs?.server.close()
  other?.server.close()
  await site?.stop()
  if (folder) rmSync(folder, { recursive: true })
})

async function serve(read) {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname)
    try {
      const content = read(path === '/' ? '/index.html' : path)
      response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'text/html' }).end(content)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise(done => server.listen(0, '127.0.0.1', done))
  return { server, url: `http://127.0.0.1:${server.address().port}/` }
}

const stranger = () => `<!doctype html><html lang="en"><title>A page</title><main>
<haproxy-ingress-preview haproxy="2.8" request="http://hello.example/" height="600"><pre><code>${hello}</code></pre></haproxy-ingress-preview>
<haproxy-ingress-preview load="click"><pre data-file="a.yaml"># a</pre><pre data-file="b.yaml" hidden># b</pre></haproxy-ingress-preview>
</main><script src="${site.url}embed.js"></script></html>`

const frameOf = async (page, index) => {
  const handle = await page.locator('haproxy-ingress-preview').nth(index).locator('iframe').elementHandle()
  const frame = await handle.contentFrame()
  await frame.waitForFunction(() => / ms$/.test(document.querySelector('[role=status]')?.textContent ?? ''))
  return frame
}

test('a preview runs in a page of another origin', () =>
  visit({ browser: site.browser, url: other.url }, async page => {
    const frame = await frameOf(page, 0)
    assert.match(await textOf(frame, 'output'), /^backend default_hello_8080$/m)
    assert.equal(await frame.inputValue('#haproxy'), '2.8')
    await frame.locator('#kept li', { hasText: 'hello.example' }).waitFor()
    assert.ok(await frame.locator('h1').isHidden())
    await frame.waitForFunction(() => document.querySelector('#whole').href.includes('#2'))
    const whole = await frame.getAttribute('#whole', 'href')
    // The same state with more room.
    const [page2] = [await page.context().newPage()]
    await page2.goto(whole)
    await page2.waitForFunction(() => / ms$/.test(document.querySelector('[role=status]').textContent))
    assert.equal(await textOf(page2, 'yaml'), hello)
    assert.ok(await page2.locator('h1').isVisible())

    const second = page.locator('haproxy-ingress-preview').nth(1)
    assert.equal(await second.locator('iframe').count(), 0)
    await second.getByRole('button').focus()
    await page.keyboard.press('Enter')
    const shown = await frameOf(page, 1)
    assert.deepEqual(await shown.locator('#texts').getByRole('tab').allTextContents(), ['a.yaml', 'b.yaml'])
    await page.keyboard.press('Enter')
    assert.ok(await second.locator('pre').first().isVisible())
  }, { expectErrors: true }))

test('the loader is small', () => {
  const { size } = statSync(fileURLToPath(new URL('../dist/embed.js', import.meta.url)))
  console.log(`# embed.js: ${size} bytes`)
  assert.ok(size < 6_000)
})

test('every link of the documentation leads somewhere', () => {
  let count = 0
  const text = path => readFileSync(join(folder, path), 'utf8')
  for (const path of pages) {
    for (const [, href] of text(path).matchAll(/(?:href|src)="([^"]*)"/g)) {
      if (/^[a-z]+:/.test(href)) continue
      const [file, anchor] = href.replaceAll('&amp;', '&').split('#')
      const target = file === '' ? path : posix.join(posix.dirname(path), file)
      assert.ok(statSync(join(folder, target), { throwIfNoEntry: false }), `${path}: ${href}`)
      if (anchor && target.endsWith('.html')) assert.ok(text(target).includes(`id="${anchor}"`), `${path}: ${href}`)
      count++
    }
  }
  console.log(`# ${count} links on ${pages.length} pages of the documentation`)
  assert.ok(count > 1000)
})

test('every configuration key has a live example', () => {
  const families = pages.filter(it => it.startsWith('keys/'))
  let keys = 0
  for (const path of families) {
    const text = readFileSync(join(folder, path), 'utf8')
    for (const [, key] of text.matchAll(/<h2 id="([\w-]+)">/g)) {
      keys++
      assert.ok(text.includes(`Example with <code>${key}</code>`), `${path}: ${key}`)
    }
  }
  const limited = families.filter(it => readFileSync(join(folder, it), 'utf8').includes('which the page does not have'))
  console.log(`# ${keys} keys with a live example; flags that the page lacks on ${limited.length} pages`)
  assert.ok(keys > 200)
})

test('an example of the documentation comes alive', () =>
  visit({ browser: site.browser, url: docs.url }, async page => {
    const preview = page.locator('haproxy-ingress-preview', { hasText: 'cors-max-age' }).first()
    await preview.scrollIntoViewIfNeeded()
    const index = await page.evaluate(() =>
      [...document.querySelectorAll('haproxy-ingress-preview')].findIndex(it => it.textContent.includes('cors-max-age')),
    )
    const button = preview.getByRole('button', { name: 'See the configuration live' })
    if (await button.count()) await button.click()
    const frame = await frameOf(page, index)
    assert.match(await textOf(frame, 'output'), /Access-Control-Max-Age/)
    assert.match(await frame.textContent('#findings'), /Nothing to complain about/)
  }, { path: 'keys/cors.html' }))

test('the documentation can be read without JavaScript', () =>
  visit({ browser: site.browser, url: docs.url }, async page => {
    assert.ok(await page.locator('pre', { hasText: 'cors-max-age' }).first().isVisible())
    assert.ok(await page.locator('nav a').first().isVisible())
  }, { path: 'keys/cors.html', javaScriptEnabled: false }))

for (const colorScheme of ['light', 'dark']) {
  test(`the documentation stands in nobody's way, ${colorScheme}`, () =>
    visit({ browser: site.browser, url: docs.url }, async page => {
      for (const path of ['index.html', 'keys.html', 'keys/redirect.html']) {
        await page.goto(docs.url + path)
        await page.evaluate(axe)
        const { violations } = await page.evaluate(() => window.axe.run({ exclude: ['iframe'] }))
        assert.deepEqual(violations.map(it => `${path} ${it.id}: ${it.nodes.map(node => node.target).join(', ')}`), [])
        const [content, window_] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth])
        assert.equal(content, window_, path)
      }
      await page.goto(`${docs.url}keys.html`)
      await page.getByRole('searchbox', { name: 'Find a key' }).fill('cors max')
      assert.deepEqual(await page.locator('tbody tr:visible td:first-child').allTextContents(), ['cors-max-age'])
    }, { colorScheme, viewport: { width: 320, height: 640 } }))
}
