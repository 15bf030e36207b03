// What a visitor of the playground is promised, in a real browser.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test, { after, before } from 'node:test'

import { start } from './browser.mjs'

const axe = readFileSync(new URL('../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')
const hello = readFileSync(new URL('../../examples/hello.yaml', import.meta.url), 'utf8')

let site
before(async () => {
  site = await start()
})
after(() => site?.stop())

/** Opens the page, gives it to `body`, and fails on anything that the browser complains about. */
async function visit(body, { path = '', expectErrors = false, prepare, ...options } = {}) {
  const context = await site.browser.newContext({
    viewport: { width: 1280, height: 800 },
    permissions: ['clipboard-read', 'clipboard-write'],
    ...options,
  })
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  const complaints = []
  page.on('pageerror', it => complaints.push(it.message))
  page.on('console', it => {
    if (it.type() === 'error' || it.type() === 'warning') complaints.push(it.text())
  })
  page.on('request', it => {
    const known = it.url().startsWith(site.url) || it.url().startsWith('blob:')
    if (!known) complaints.push(`request to ${it.url()}`)
  })
  try {
    await prepare?.(page)
    await page.goto(site.url + path)
    await body(page)
    if (!expectErrors) assert.deepEqual(complaints, [])
  } finally {
    await context.close()
  }
}

const compiled = page => status(page, /\d lines? in \d+ files?.* ms$/)

async function status(page, wanted) {
  await page.waitForFunction(
    ([source, flags]) =>
      new RegExp(source, flags).test(document.querySelector('[role=status]').textContent),
    [wanted.source, wanted.flags],
  )
}

/** Text of an editor. CodeMirror draws only what can be seen, so that its own document is asked. */
const textOf = (page, id) =>
  page.evaluate(
    it => document.querySelector(`#${it} .cm-content`).cmTile.view.state.doc.toString(),
    id,
  )

const yaml = page => page.getByRole('textbox', { name: 'Kubernetes resources, YAML' })

/** Replaces the resources, as pasting does. */
async function paste(page, text) {
  await yaml(page).focus()
  await page.keyboard.press('Control+A')
  await page.evaluate(it => navigator.clipboard.writeText(it), text)
  await page.keyboard.press('Control+V')
}

/** Puts the cursor behind the first occurrence of a text in an editor. */
async function lookAt(page, id, text) {
  await page.evaluate(
    ([id, text]) => {
      const { view } = document.querySelector(`#${id} .cm-content`).cmTile
      const offset = view.state.doc.toString().indexOf(text)
      if (offset < 0) throw new Error(`${id} does not have ${text}`)
      view.focus()
      view.dispatch({ selection: { anchor: offset + text.length }, scrollIntoView: true })
    },
    [id, text],
  )
}

const eventually = (page, check, argument) => page.waitForFunction(check, argument)

test('the first visit shows an example with its configuration, and what to do', () =>
  visit(async page => {
    await compiled(page)
    assert.match(await textOf(page, 'output'), /^frontend _front_http/m)
    assert.match(await textOf(page, 'yaml'), /kind: Ingress/)
    assert.match(await page.textContent('#intro'), /Edit the resources/)
    assert.match(await page.textContent('footer'), /stays in this browser/)
    assert.match(await page.textContent('#version'), /^Engine \d+\.\d+\.\d+/)
    assert.equal(await page.getByRole('tab').first().textContent(), 'haproxy.cfg')
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
    await page.getByRole('tab', { name: /_front_http_host__prefix\.map/ }).click()
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
    await page.getByRole('tab').first().click()
    await lookAt(page, 'yaml', 'host: hello.example')
    await page.locator('#trace button.line-row', { hasText: '_host__prefix.map' }).click()
    const tab = page.getByRole('tab', { selected: true })
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
    await page.getByRole('tab', { selected: true }).focus()
    await page.keyboard.press('ArrowRight')
    const second = page.getByRole('tab').nth(1)
    assert.equal(await second.getAttribute('aria-selected'), 'true')
    assert.ok(await second.evaluate(it => it === document.activeElement))
    await page.keyboard.press('Home')
    assert.equal(await page.getByRole('tab').first().getAttribute('aria-selected'), 'true')
  }))

test('no private key is shown', () =>
  visit(async page => {
    await compiled(page)
    await page.selectOption('#examples', 'tls')
    const certificate = page.getByRole('tab', { name: /secure-tls.*\.pem/ })
    await certificate.click()
    assert.match(await textOf(page, 'output'), /^\(\d+ bytes: a certificate and its private key\)/)
    assert.doesNotMatch(await page.content(), /PRIVATE KEY/)
  }))

test('an edit says what it would cost', () =>
  visit(async page => {
    await compiled(page)
    assert.match(await page.textContent('#plan'), /Nothing to do/)
    await paste(page, hello.replace('hello.example', 'other.example'))
    await eventually(page, () => /reload/i.test(document.querySelector('#plan .verdict')?.textContent))
    await page.click('#apply')
    await eventually(page, () => /Nothing to do/.test(document.querySelector('#plan').textContent))
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
  assert.match(link, /#1[\w-]+$/)
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
    await compiled(page)
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

test('no link is made while it cannot be told what is secret', () =>
  visit(async page => {
    await compiled(page)
    await paste(page, 'kind: Secret\ndata: {a: [\n')
    await status(page, /does not parse/)
    await page.click('#share')
    await status(page, /No link/)
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
      for (const example of ['hello', 'paths', 'tls']) {
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
        const { violations } = await page.evaluate(() => window.axe.run())
        const found = violations.map(it => `${it.id}: ${it.nodes.map(node => node.target).join(', ')}`)
        assert.deepEqual(found, [])
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
            "onmessage = () => { for (;;); }; postMessage({ type: 'ready', version: '0', keys: [] })"
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
