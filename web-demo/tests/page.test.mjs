// What a visitor of the playground is promised, in a real browser.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test, { after, before } from 'node:test'

import { start } from './browser.mjs'
import { compiled, eventually, lookAt, paste, results, status, textOf, visit as visitSite, yaml } from './visit.mjs'

const axe = readFileSync(new URL('../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')
const hello = readFileSync(new URL('../../examples/hello.yaml', import.meta.url), 'utf8')

let site
before(async () => {
  site = await start()
})
after(() => site?.stop())

const visit = (body, options) => visitSite(site, body, options)

test('the first visit shows an example with its configuration, and what to do', () =>
  visit(async page => {
    await compiled(page)
    assert.match(await textOf(page, 'output'), /^frontend _front_http/m)
    assert.match(await textOf(page, 'yaml'), /kind: Ingress/)
    assert.match(await page.textContent('#intro'), /Edit the resources/)
    assert.match(await page.textContent('footer'), /stays in this browser/)
    assert.match(await page.textContent('#version'), /^Engine \d+\.\d+\.\d+/)
    assert.equal(await results(page).first().textContent(), 'haproxy.cfg')
  }))

test('what is typed changes the configuration', () =>
  visit(async page => {
    await compiled(page)
    await lookAt(page, 'yaml', 'cors-max-age: "')
    for (let digit = 0; digit < 3; digit++) await page.keyboard.press('Delete')
    await page.keyboard.type('4242')
    await eventually(page, () =>
      document
        .querySelector('#output .cm-content')
        .cmTile.view.state.doc.toString()
        .includes('4242'),
    )
    assert.match(await textOf(page, 'yaml'), /cors-max-age: "4242"/)
  }))

test('an edit draws anew only what differs', () =>
  visit(async page => {
    await compiled(page)
    const kept = () => page.locator('#files [role=tab]:first-child, #sections option:nth-child(2)').evaluateAll(all => all.map(it => it.isKept))
    await page.locator('#files [role=tab], #sections option').evaluateAll(all => {
      for (const it of all) it.isKept = true
    })
    await lookAt(page, 'yaml', 'cors-max-age: "600')
    await page.keyboard.type('1')
    await eventually(page, () => document.querySelector('#output .cm-content').cmTile.view.state.doc.toString().includes('6001'))
    assert.deepEqual(await kept(), [true, true])
  }))

test('a finding is a button that leads to its place', () =>
  visit(async page => {
    await compiled(page)
    await paste(page, hello.replace('cors-max-age: "600"', 'cors-max-age: "soon"'))
    const finding = page.locator('#findings button', { hasText: 'invalid-value' })
    await finding.waitFor()
    assert.match(await page.textContent('#findings-title'), /^Findings \([1-9]\d*\)$/)
    await finding.focus()
    await page.keyboard.press('Enter')
    const selected = await page.evaluate(() => {
      const { view } = document.querySelector('#yaml .cm-content').cmTile
      const { from, to } = view.state.selection.main
      return view.hasFocus && view.state.sliceDoc(from, to)
    })
    assert.match(selected, /soon/)
    await page.locator('#yaml .cm-lintRange-warning').first().waitFor()
  }))

test('a field shows the lines that it made', () =>
  visit(async page => {
    await compiled(page)
    await lookAt(page, 'yaml', 'haproxy-ingress.github.io/cors-max-age')
    await page.locator('#output .cm-traced').first().waitFor()
    const lit = await page.locator('#output .cm-traced').allTextContents()
    assert.ok(lit.every(it => /600|Access-Control|cors/i.test(it)), lit.join('\n'))
    assert.match(await page.textContent('#trace'), /cors-max-age.*made \d+ lines?/s)
    await page.locator('#trace .line-row').first().click()
    const line = await page.evaluate(() => {
      const { view } = document.querySelector('#output .cm-content').cmTile
      return view.hasFocus && view.state.doc.lineAt(view.state.selection.main.head).text
    })
    assert.match(line, /600|Access-Control|cors/i)
  }))

test('a field that made no line itself shows what its object made', () =>
  visit(async page => {
    await compiled(page)
    await lookAt(page, 'yaml', 'name: hello-1')
    await page.locator('#output .cm-traced', { hasText: 'server srv' }).first().waitFor()
    assert.match(await page.textContent('#trace'), /^EndpointSlice default\/hello-1 as a whole made \d+ line/)
  }))

test('a line shows the field that made it', () =>
  visit(async page => {
    await compiled(page)
    await lookAt(page, 'output', 'server srv')
    await page.locator('#yaml .cm-traced-part').first().waitFor()
    assert.match(await page.textContent('#trace'), /^Line \d+ .*EndpointSlice default\/hello-1/s)
    await page.locator('#trace button.origin-row', { hasText: 'EndpointSlice' }).first().click()
    const there = await page.evaluate(() => {
      const { view } = document.querySelector('#yaml .cm-content').cmTile
      return view.hasFocus && view.state.doc.lineAt(view.state.selection.main.from).text
    })
    assert.match(there, /addresses|127\.0\.0\.1|kind: EndpointSlice|apiVersion/)
  }))

test('a host and its line in a map light up each other', () =>
  visit(async page => {
    await compiled(page)
    await results(page,  { name: /_front_http_host__prefix\.map/ }).click()
    await lookAt(page, 'yaml', 'host: hello.example')
    const lit = page.locator('#output .cm-traced')
    await lit.first().waitFor()
    assert.deepEqual(await lit.allTextContents(), ['hello.example#/ default_hello_8080/path01'])
    assert.match(await page.textContent('#trace'), /spec\.rules\[0\]\.host.*made \d+ line/)

    await lookAt(page, 'output', 'hello.example#/')
    const trace = page.locator('#trace')
    await trace.getByText(/^Line 1 /).waitFor()
    assert.match(await trace.textContent(), /_host__prefix\.map .*Ingress default\/hello.*spec\.rules\[0\]\.http\.paths\[0\]/)
    const parts = (await page.locator('#yaml .cm-traced-part').allTextContents()).join('')
    assert.match(parts, /host: hello\.example/)
    assert.match(parts, /pathType: Prefix/)

    // From another file the panel leads to the line.
    await results(page).first().click()
    await lookAt(page, 'yaml', 'host: hello.example')
    await page.locator('#trace button.line-row', { hasText: '_host__prefix.map' }).click()
    const tab = results(page,  { selected: true })
    assert.equal(await tab.textContent(), '_front_http_host__prefix.map')
    await lit.first().waitFor()
  }))

test('text that does not parse keeps the last good configuration, marked as such', () =>
  visit(async page => {
    await compiled(page)
    const good = await textOf(page, 'output')
    await paste(page, `${hello}\n---\nkind: [Ingress\n`)
    await status(page, /does not parse/)
    assert.equal(await textOf(page, 'output'), good)
    assert.ok(await page.locator('#stale').isVisible())
    assert.match(await page.textContent('#findings'), /invalid-yaml/)
    await paste(page, hello)
    await compiled(page)
    assert.ok(await page.locator('#stale').isHidden())
  }))

test('empty resources are resources', () =>
  visit(async page => {
    await compiled(page)
    await yaml(page).focus()
    await page.keyboard.press('Control+A')
    await page.keyboard.press('Delete')
    await status(page, /^0 objects/)
    assert.match(await textOf(page, 'output'), /_error404/)
    await page.reload()
    await status(page, /^0 objects/)
    assert.equal(await textOf(page, 'yaml'), '')
  }))

test('another HAProxy and another file can be chosen with the keyboard', () =>
  visit(async page => {
    await compiled(page)
    await page.selectOption('#haproxy', '2.4')
    await compiled(page)
    await results(page,  { selected: true }).focus()
    await page.keyboard.press('ArrowRight')
    const second = results(page).nth(1)
    assert.equal(await second.getAttribute('aria-selected'), 'true')
    assert.ok(await second.evaluate(it => it === document.activeElement))
    await page.keyboard.press('Home')
    assert.equal(await results(page).first().getAttribute('aria-selected'), 'true')
  }))

test('no private key is shown', () =>
  visit(async page => {
    await compiled(page)
    await page.selectOption('#examples', 'tls')
    const certificate = results(page,  { name: /secure-tls.*\.pem/ })
    await certificate.click()
    assert.match(await textOf(page, 'output'), /^\(\d+ bytes: a certificate and its private key\)/)
    assert.doesNotMatch(await page.content(), /PRIVATE KEY/)
  }))

test('an edit says what it would cost', () =>
  visit(async page => {
    await compiled(page)
    await page.getByRole('tab', { name: 'Change' }).click()
    assert.match(await page.textContent('#change'), /Nothing to do/)
    await paste(page, hello.replaceAll('hello.example', 'other.example'))
    await eventually(page, () => /reload/i.test(document.querySelector('#change .verdict')?.textContent))
    await page.click('#apply')
    await eventually(page, () => /Nothing to do/.test(document.querySelector('#change').textContent))
  }))

test('a link brings back the same page', async () => {
  const text = `# Ünïcödé ☂ 😀\n${hello}`
  let link
  await visit(async page => {
    await compiled(page)
    await paste(page, text)
    await page.selectOption('#haproxy', '2.6')
    await compiled(page)
    await page.click('#share')
    await status(page, /Link copied/)
    link = await page.evaluate(() => navigator.clipboard.readText())
  })
  assert.match(link, /#2[\w-]+$/)
  await visit(
    async page => {
      await compiled(page)
      assert.equal(await textOf(page, 'yaml'), text)
      assert.equal(await page.inputValue('#haproxy'), '2.6')
    },
    { path: link.slice(link.indexOf('#')) },
  )
})

test('a link carries no Secret unless it is asked to', () =>
  visit(async page => {
    const key = /tls\.key: (\S+)/
    await compiled(page)
    await page.selectOption('#examples', 'tls')
    await page.getByText('with Secrets').waitFor()
    assert.match(await textOf(page, 'yaml'), key)
    const shared = async () => {
      await page.click('#share')
      await status(page, /Link copied/)
      const address = await page.evaluate(() => navigator.clipboard.readText())
      const other = await page.context().newPage()
      await other.goto(address)
      await compiled(other)
      const text = await textOf(other, 'yaml')
      await other.close()
      return text
    }
    const masked = await shared()
    assert.match(masked, /tls\.key: ""/)
    assert.match(masked, /tls\.crt: ""/)
    await page.getByRole('checkbox', { name: 'with Secrets' }).check()
    assert.match(await shared(), key)
    assert.doesNotMatch(await shared(), /tls\.key: ""/)
  }))

test('a link that is asked for at once waits until it is known what is secret', () =>
  visit(async page => {
    await compiled(page)
    await page.evaluate(() => {
      const examples = document.querySelector('#examples')
      examples.value = 'tls'
      examples.dispatchEvent(new Event('change'))
      document.querySelector('#share').click()
    })
    await status(page, /^Link copied; \d values? of Secrets left out$/)
  }))

test('no link is made while it cannot be told what is secret', () =>
  visit(async page => {
    await compiled(page)
    await paste(page, 'kind: Secret\ndata: {a: [\n')
    await status(page, /does not parse/)
    await page.click('#share')
    await status(page, /Nothing was copied/)
    assert.equal(new URL(page.url()).hash, '')
  }))

test('a damaged link says so and keeps the own text', () =>
  visit(
    async page => {
      await status(page, /link is damaged/)
      assert.match(await textOf(page, 'yaml'), /kind: Ingress/)
    },
    { path: '#1not-a-link' },
  ))

test('what was edited is there at the next visit', () =>
  visit(async page => {
    await compiled(page)
    await page.click('#understood')
    await page.keyboard.press('Control+Home')
    await page.keyboard.type('# mine')
    await page.keyboard.press('Enter')
    await page.locator('#haproxy').focus()
    await page.reload()
    await compiled(page)
    assert.match(await textOf(page, 'yaml'), /^# mine\n/)
    assert.ok(await page.locator('#intro').isHidden())
  }))

test('Tab leaves the editors', () =>
  visit(async page => {
    await compiled(page)
    const before = await textOf(page, 'yaml')
    for (const id of ['yaml', 'output']) {
      await page.locator(`#${id} .cm-content`).focus()
      await page.keyboard.press('Tab')
      const inside = await page.evaluate(it => document.getElementById(it).contains(document.activeElement), id)
      assert.ok(!inside, id)
    }
    assert.equal(await textOf(page, 'yaml'), before)
  }))

test('a narrow window has no sideways scrolling', () =>
  visit(
    async page => {
      await compiled(page)
      for (const example of ['hello', 'redirects', 'tls', 'mistakes', 'auth']) {
        await page.selectOption('#examples', example)
        await compiled(page)
        const [content, window] = await page.evaluate(() => [
          document.documentElement.scrollWidth,
          document.documentElement.clientWidth,
        ])
        assert.equal(content, window, example)
      }
    },
    { viewport: { width: 320, height: 640 } },
  ))

for (const colorScheme of ['light', 'dark']) {
  test(`nothing stands in the way of anybody, ${colorScheme}`, () =>
    visit(
      async page => {
        await compiled(page)
        await paste(page, hello.replace('cors-max-age: "600"', 'cors-max-age: "soon"'))
        await page.locator('#findings button', { hasText: 'invalid-value' }).waitFor()
        await lookAt(page, 'output', 'server srv')
        await page.locator('#yaml .cm-traced-part').first().waitFor()
        await page.evaluate(axe)
        const look = async what => {
          const { violations } = await page.evaluate(() => window.axe.run())
          const found = violations.map(it => `${what}: ${it.id}: ${it.nodes.map(node => node.target).join(', ')}`)
          assert.deepEqual(found, [])
        }
        await look('first')
        await page.fill('#url', 'http://hello.example/')
        await page.locator('#decision .step').first().waitFor()
        await page.getByRole('button', { name: 'Keep' }).click()
        await results(page, { name: 'Model' }).click()
        await page.locator('#other .tree').waitFor()
        await look('request and model')
        await page.getByRole('tab', { name: 'Change' }).click()
        await paste(page, hello.replace('"600"', '"601"'))
        await page.locator('.diff-line.added').first().waitFor()
        await results(page, { name: 'Status' }).click()
        await page.locator('.status-row').first().waitFor()
        await look('change and status')
      },
      { colorScheme },
    ))
}

test('a bomb of aliases is refused, and the page lives on', () =>
  visit(async page => {
    await compiled(page)
    const levels = Array.from({ length: 30 }, (_, level) => {
      const inner = level === 0 ? 'x' : Array(10).fill(`*a${level - 1}`).join(', ')
      return `a${level}: &a${level} [${inner}]`
    })
    await paste(page, levels.join('\n'))
    await status(page, /does not parse|0 objects/)
    assert.notEqual(await page.locator('#findings li').count(), 0)
    await paste(page, hello)
    await compiled(page)
  }))

test('a worker that hangs is replaced', () => {
  let workers = 0
  return visit(
    async page => {
      await status(page, /no answer after 5 seconds/)
      await yaml(page).focus()
      await page.keyboard.type('# again')
      await compiled(page)
      assert.equal(workers, 2)
    },
    {
      // The first worker is one that never answers; the page cannot know that.
      prepare: page =>
        page.route(/\/worker-[\w-]+\.js$/, route => {
          workers++
          if (workers > 1) return route.continue()
          const body =
            "onmessage = () => { for (;;); }; postMessage({ type: 'ready', version: '0', keys: [], schemas: [] })"
          return route.fulfill({ contentType: 'text/javascript', body })
        }),
    },
  )
})

test('an engine that cannot be loaded is no riddle', () =>
  visit(
    async page => {
      await status(page, /engine does not run in this browser/)
      assert.match(await textOf(page, 'yaml'), /kind: Ingress/)
    },
    {
      expectErrors: true,
      prepare: page => page.route(/\.wasm$/, route => route.fulfill({ status: 404, body: '' })),
    },
  ))

test('known keys are offered while typing an annotation', () =>
  visit(async page => {
    await compiled(page)
    await lookAt(page, 'yaml', 'cors-max-age: "600"')
    await page.keyboard.press('Enter')
    await page.keyboard.type('timeout-ser')
    const choice = page.locator('.cm-tooltip-autocomplete li', { hasText: 'timeout-server' })
    await choice.first().waitFor()
    await page.waitForTimeout(100)
    await page.keyboard.press('Enter')
    assert.match(await textOf(page, 'yaml'), /\n {4}haproxy-ingress\.github\.io\/timeout-server: "50s"\n/)
  }))

test('fields of resources and their words are offered, too', () =>
  visit(async page => {
    await compiled(page)
    await lookAt(page, 'yaml', 'pathType: Prefix')
    await page.keyboard.press('Enter')
    await page.keyboard.type('back')
    const field = page.locator('.cm-tooltip-autocomplete li', { hasText: 'backend' })
    await field.first().waitFor()
    assert.match(await field.first().textContent(), /a mapping/)
    await page.keyboard.press('Escape')
    await page.keyboard.press('Control+Z')
    await lookAt(page, 'yaml', 'pathType: P')
    await page.keyboard.press('Control+Space')
    const words = page.locator('.cm-tooltip-autocomplete li')
    await words.first().waitFor()
    assert.deepEqual(await words.allTextContents(), ['Prefix'])
  }))

test('a key and a field explain themselves where the pointer rests', () =>
  visit(async page => {
    await compiled(page)
    await page.locator('#yaml .cm-line', { hasText: 'cors-max-age' }).hover({ position: { x: 120, y: 8 } })
    await page.locator('.cm-key', { hasText: 'cors-max-age' }).waitFor()
    assert.match(await page.locator('.cm-key').textContent(), /Path.*default.*86400/s)
    await page.locator('#yaml .cm-line', { hasText: 'ingressClassName' }).hover({ position: { x: 60, y: 8 } })
    await page.locator('.cm-key', { hasText: 'Ingress.spec' }).waitFor()
  }))

const mistaken = hello
  .replace('cors-max-age', 'cors-max-aeg')
  .replace('ingressClassName', 'ingressClassname')
  .replace('cors-enable: "true"', 'cors-enable: yes')

test('what is mistyped is mended with one click', () =>
  visit(async page => {
    await compiled(page)
    await paste(page, mistaken)
    const fix = name => page.locator('#findings').getByRole('button', { name })
    await fix('Rename to haproxy-ingress.github.io/cors-max-age').click()
    await fix('Rename to ingressClassName').click()
    await fix('Put it in quotes').click()
    await fix('Write "true"').click()
    await eventually(page, () => /complain/.test(document.querySelector('#findings').textContent))
    assert.equal(await textOf(page, 'yaml'), hello)
    // In the editor the marker has the same button, and its documentation.
    await paste(page, mistaken)
    await page.locator('#findings', { hasText: 'unknown-key' }).waitFor()
    await lookAt(page, 'yaml', 'cors-max-aeg')
    await page.keyboard.press('Home')
    await page.keyboard.press('F8')
    const tooltip = page.locator('.cm-tooltip-lint')
    await tooltip.waitFor()
    assert.match(await tooltip.textContent(), /No key has this name|Annotations, labels|does not know this field/)
    await tooltip.getByRole('button').first().click()
    assert.notEqual(await textOf(page, 'yaml'), mistaken)
  }))

test('findings stand at the lines that they are about, in the configuration as well', () =>
  visit(async page => {
    await compiled(page)
    await paste(page, hello.replace('cors-max-age: "600"', 'cors-max-age: 600'))
    await page.locator('#findings', { hasText: 'not-a-string' }).waitFor()
    await lookAt(page, 'output', 'hdr Access-Control-Max-Age')
    await page.locator('#output .cm-lintRange', { hasText: 'Access-Control-Max-Age' }).waitFor()
    await page.locator('#output .cm-lint-marker-error').first().waitFor()
  }))

test('several files count as one, and each has its own history', () =>
  visit(async page => {
    await compiled(page)
    const [ingress, ...rest] = hello.split('---\n')
    await paste(page, ingress)
    await page.click('#new-file')
    await yaml(page).focus()
    await paste(page, rest.join('---\n'))
    await status(page, new RegExp(`^${hello.split('---\n').length} objects`))
    const texts = page.locator('#texts').getByRole('tab')
    assert.deepEqual(await texts.allTextContents(), ['hello.yaml', 'new.yaml'])

    await page.click('#rename-file')
    await page.locator('#file-name').fill('services.yaml')
    await page.keyboard.press('Enter')
    assert.deepEqual(await texts.allTextContents(), ['hello.yaml', 'services.yaml'])

    // A line leads to the file that made it.
    await lookAt(page, 'output', 'hdr Access-Control-Max-Age')
    const origin = page.locator('#trace button.origin-row', { hasText: 'cors-max-age' }).first()
    assert.match(await origin.textContent(), /hello\.yaml, line \d+/)
    await origin.click()
    assert.equal(await texts.nth(0).getAttribute('aria-selected'), 'true')
    assert.equal(await textOf(page, 'yaml'), ingress)

    await page.keyboard.press('Control+Home')
    await page.keyboard.insertText('# x')
    await texts.nth(1).click()
    await texts.nth(0).focus()
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('Home')
    await yaml(page).focus()
    assert.equal(await textOf(page, 'yaml'), `# x${ingress}`)
    await page.keyboard.press('Control+Z')
    assert.equal(await textOf(page, 'yaml'), ingress)

    await page.click('#remove-file')
    assert.deepEqual(await texts.allTextContents(), ['services.yaml'])
    await page.reload()
    await compiled(page)
    assert.deepEqual(await texts.allTextContents(), ['services.yaml'])
  }))

test('files are opened from the disk', () =>
  visit(async page => {
    await compiled(page)
    await page.setInputFiles('#chooser', [
      { name: 'a.yaml', mimeType: 'text/yaml', buffer: Buffer.from('# ünï\n') },
      { name: 'hello.yaml', mimeType: 'text/yaml', buffer: Buffer.from('# again\n') },
    ])
    const texts = page.locator('#texts').getByRole('tab')
    await texts.nth(2).waitFor()
    assert.deepEqual(await texts.allTextContents(), ['hello.yaml', 'a.yaml', 'hello-2.yaml'])
    assert.equal(await textOf(page, 'yaml'), '# ünï\n')
  }))

test('the status says what became of each object', () =>
  visit(async page => {
    await compiled(page)
    await paste(page, hello.replace('ingressClassName: haproxy', 'ingressClassName: nginx'))
    await results(page, { name: 'Status' }).click()
    const row = page.locator('.status-row', { hasText: 'Ingress default/hello' })
    await row.getByText('not of this controller').waitFor()
    assert.match(await row.textContent(), /made no line.*not of this controller/)
    await paste(page, hello)
    await eventually(page, () => /addresses of HAProxy/.test(document.querySelector('#other').textContent))
    assert.match(await row.textContent(), /✓.*made \d+ lines/)
    await row.click()
    assert.ok(await page.evaluate(() => document.querySelector('#yaml .cm-content').cmTile.view.hasFocus))
  }))

test('the global ConfigMap is chosen with one click', () =>
  visit(async page => {
    await compiled(page)
    const global = '---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: haproxy-ingress, namespace: ingress-controller}\ndata: {max-connections: "4321"}\n'
    await paste(page, hello + global)
    await page.getByRole('button', { name: 'Take it as the global ConfigMap' }).click()
    await eventually(page, () =>
      document.querySelector('#output .cm-content').cmTile.view.state.doc.toString().includes('maxconn 4321'),
    )
    assert.equal(await page.inputValue('#config-maps'), 'ingress-controller/haproxy-ingress')
  }))

test('the copied command prints what the page shows', () =>
  visit(async page => {
    const { binary, run } = await import('./binary.mjs')
    await compiled(page)
    await page.selectOption('#haproxy', '2.8')
    await page.click('#new-file')
    await paste(page, "# it's $HOME `x` \\ EOF\nEOF: 1\n")
    await status(page, /not read|notice/)
    await compiled(page)
    await page.click('#command')
    await status(page, /Command copied/)
    const command = await page.evaluate(() => navigator.clipboard.readText())
    const printed = await run('sh', ['-c', command.replace(/^haproxy-ingress/, binary)])
    assert.equal(printed, await textOf(page, 'output'))
  }))

test('all files are downloaded in one archive, without private keys', () =>
  visit(async page => {
    const { unzipSync, strFromU8 } = await import('fflate')
    await compiled(page)
    await page.selectOption('#examples', 'tls')
    await status(page, /in \d+ files/)
    await results(page, { name: /secure-tls.*\.pem/ }).waitFor()
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download-all')])
    const files = unzipSync(readFileSync(await download.path()))
    const names = Object.keys(files)
    assert.equal(download.suggestedFilename(), 'haproxy-ingress.zip')
    assert.equal(names.length, (await results(page).count()) - (await page.locator('#files .view-tab').count()))
    const config = names.find(it => it.endsWith('haproxy.cfg'))
    assert.equal(strFromU8(files[config]), await textOf(page, 'output'))
    for (const name of names) assert.doesNotMatch(strFromU8(files[name]), /PRIVATE KEY/)
  }))

test('an example has an address of its own', () =>
  visit(
    async page => {
      await compiled(page)
      assert.match(await textOf(page, 'yaml'), /name: secure/)
      // Until it is edited: then the address would not say what is shown.
      await page.keyboard.press('Control+Home')
      await yaml(page).focus()
      await page.keyboard.type('#')
      await eventually(page, () => location.hash === '')
      await page.selectOption('#examples', 'paths')
      await eventually(page, () => location.hash === '#example/paths')
    },
    { path: '#example/tls' },
  ))

test('a request shows where it goes, step by step, and lights up what leads it there', () =>
  visit(async page => {
    await compiled(page)
    await page.fill('#url', 'http://hello.example/some/path?q=1')
    const verdict = page.locator('#decision .verdict')
    await verdict.getByText('default_hello_8080').waitFor()
    await page.locator('#decision .lead', { hasText: 'The server sees /some/path?q=1' }).waitFor()
    const steps = page.locator('#decision .step')
    assert.ok((await steps.count()) >= 4)
    await page.locator('#output .cm-traced').first().waitFor()
    // A step leads to the object behind it.
    await steps.filter({ hasText: 'Ingress default/hello' }).first().click()
    const there = await page.evaluate(() => {
      const { view } = document.querySelector('#yaml .cm-content').cmTile
      return view.hasFocus && view.state.doc.lineAt(view.state.selection.main.from).text
    })
    assert.match(there, /\S/)
    await page.fill('#url', 'http://nobody.example/')
    await verdict.getByText('404').waitFor()
    await page.fill('#url', 'ftp://hello.example/')
    await page.locator('#decision .verdict.bad', { hasText: 'http://' }).waitFor()
  }))

test('a curl command can be pasted, and kept requests are asked again after each edit', () =>
  visit(async page => {
    await compiled(page)
    await page.selectOption('#examples', 'auth')
    const kept = page.locator('#kept li')
    await kept.nth(2).waitFor()
    await kept.nth(2).locator('.mark.good').waitFor()
    assert.equal(await kept.locator('.mark.good').count(), 3)
    const answers = await page.locator('#kept .now').allTextContents()
    assert.match(answers.join('\n'), /default_admin_80/)
    assert.match(answers.join('\n'), /HAProxy answers 40[13]/)

    await page.fill('#url', "curl -sX POST -u 'ann:secret' -H 'X-Test: a b' --interface 192.0.2.9 -d a=1 'http://admin.example/form'")
    assert.equal(await page.inputValue('#url'), 'http://admin.example/form')
    assert.equal(await page.inputValue('#method'), 'POST')
    assert.match(await page.inputValue('#headers'), /^Authorization: Basic YW5uOnNlY3JldA==\nX-Test: a b\nContent-Type/)
    await page.locator('#decision .verdict', { hasText: 'default_admin_80' }).waitFor()
    await page.getByRole('button', { name: 'Keep' }).click()
    await kept.nth(3).waitFor()

    await lookAt(page, 'yaml', 'allowlist-source-range: "')
    await page.keyboard.type('203.0.113.0/24, ')
    for (let press = 0; press < 12; press++) await page.keyboard.press('Delete')
    const changed = page.locator('#kept .changed')
    await changed.first().waitFor()
    assert.match(await changed.first().textContent(), /✕.*was .*now HAProxy answers 403/)

    await page.reload()
    await kept.nth(3).waitFor()
    await page.getByRole('button', { name: /^Forget POST/ }).click()
    assert.equal(await kept.count(), 3)
  }))

test('what differs from what was pinned is shown line by line', () =>
  visit(async page => {
    await compiled(page)
    await page.getByRole('tab', { name: 'Change' }).click()
    await paste(page, hello.replace('cors-max-age: "600"', 'cors-max-age: "601"'))
    const added = page.locator('#change .diff-line.added', { hasText: '601' })
    await added.first().waitFor()
    assert.match(await page.textContent('#change .diff-line.removed'), /600/)
    assert.match(await page.textContent('#change .diff-head'), /backend default_hello_8080/)
    await added.first().click()
    const line = await page.evaluate(() => {
      const { view } = document.querySelector('#output .cm-content').cmTile
      return view.hasFocus && view.state.doc.lineAt(view.state.selection.main.head).text
    })
    assert.match(line, /601/)
    // More endpoints need no reload, and the commands say so.
    await page.click('#apply')
    await eventually(page, () => /Nothing to do/.test(document.querySelector('#change').textContent))
    await paste(page, hello.replace('cors-max-age: "600"', 'cors-max-age: "601"').replace('addresses: [127.0.0.1]', 'addresses: [127.0.0.2]'))
    await page.locator('#change .verdict.good', { hasText: 'No reload' }).waitFor()
    assert.match(await page.textContent('#change .command'), /server/)
  }))

test('the model is a tree that leads to what was written', () =>
  visit(async page => {
    await compiled(page)
    await results(page, { name: 'Model' }).click()
    const tree = page.locator('#other .tree')
    await tree.getByText('hello.example').first().waitFor()
    await tree.getByText('backends').click()
    await tree.getByText('default_hello_8080', { exact: true }).click()
    await tree.getByText('servers', { exact: true }).click()
    await tree.getByText('127.0.0.1:8080, weight').first().waitFor()
    await tree.getByRole('button', { name: /^line \d+$/ }).first().click()
    assert.ok(await page.evaluate(() => document.querySelector('#yaml .cm-content').cmTile.view.hasFocus))
    // What is open stays open after an edit.
    await paste(page, hello.replace('127.0.0.1', '127.0.0.9'))
    await tree.getByText('127.0.0.9:8080').first().waitFor()
  }))

test('a link carries requests and what is pinned, and opens in a page that is open already', () =>
  visit(async page => {
    await compiled(page)
    await page.fill('#url', 'http://hello.example/kept')
    await page.locator('#decision .verdict', { hasText: 'default_hello' }).waitFor()
    await page.getByRole('button', { name: 'Keep' }).click()
    await paste(page, hello.replaceAll('127.0.0.1', '127.0.0.7'))
    await page.getByRole('tab', { name: 'Change' }).click()
    await page.locator('#change .verdict').waitFor()
    await page.click('#share')
    await status(page, /Link copied/)
    const link = await page.evaluate(() => navigator.clipboard.readText())
    await page.selectOption('#examples', 'paths')
    await eventually(page, () => location.hash === '#example/paths')
    await page.evaluate(it => (location.href = it), link)
    await eventually(page, () => document.querySelector('#kept')?.textContent.includes('hello.example/kept'))
    assert.match(await textOf(page, 'yaml'), /127\.0\.0\.7/)
    await page.locator('#change .verdict').waitFor()
  }))

test('the panels below grow and shrink with the keyboard', () =>
  visit(async page => {
    await compiled(page)
    const height = () => page.locator('#findings').evaluate(it => it.getBoundingClientRect().height)
    const before = await height()
    await page.getByRole('separator').focus()
    for (let press = 0; press < 4; press++) await page.keyboard.press('ArrowUp')
    assert.ok((await height()) > before + 60)
    assert.equal(await page.getByRole('separator').getAttribute('aria-valuenow'), '52')
    await page.keyboard.press('Home')
    assert.ok((await height()) < before)
  }))
