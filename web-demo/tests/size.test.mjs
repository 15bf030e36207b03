// Large and hostile texts do not freeze the page, and how long things take. Prints its figures.

import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'

import { start } from './browser.mjs'
import { compiled, lookAt, paste, status, textOf, visit } from './visit.mjs'
import { cluster } from './world.mjs'

let site
before(async () => {
  site = await start()
})
after(() => site?.stop())

/** Notes from now on how long the page did nothing for its visitor at most. */
const watch = page =>
  page.evaluate(() => {
    window.longest = 0
    let last = performance.now()
    const tick = () => {
      const now = performance.now()
      window.longest = Math.max(window.longest, now - last)
      last = now
      setTimeout(tick, 10)
    }
    tick()
  })
const longest = page => page.evaluate(() => window.longest)

/** A page may be slow for so long in one go, in milliseconds: a visitor waits, and does not give up. */
const PATIENCE = 2_500

test('the cold start', () => {
  const sizes = []
  return visit(
    site,
    async page => {
      await compiled(page)
      const ready = await page.evaluate(() => performance.now())
      const weight = (await Promise.all(sizes)).reduce((sum, it) => sum + it, 0)
      console.log(`# cold start: ${ready.toFixed(0)} ms to the first result; ${sizes.length} files with ${(weight / 1e6).toFixed(2)} MB before compression`)
      assert.ok(ready < 10_000)
      assert.ok(weight > 2_000_000 && weight < 5_000_000, `${weight} bytes`)
    },
    {
      prepare: page => {
        page.on('response', it => sizes.push(it.body().then(body => body.length, () => 0)))
      },
    },
  )
})

for (const objects of [1, 50, 1_000]) {
  test(`a key among ${objects} objects reaches the screen`, () =>
    visit(site, async page => {
      await compiled(page)
      await paste(page, objects === 1 ? cluster(4).split('---\n')[1] : cluster(objects))
      await status(page, new RegExp(`^${objects === 1 ? 1 : '\\d+'} objects? .* ms$`))
      await lookAt(page, 'yaml', 'cors-max-age: "600')
      const times = await page.evaluate(async () => {
        const content = document.querySelector('#yaml .cm-content')
        const { view } = content.cmTile
        const output = document.querySelector('#output .cm-content').cmTile.view
        const painted = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)))
        const times = []
        for (let key = 0; key < 25; key++) {
          const before = output.state.doc
          const start = performance.now()
          const { head } = view.state.selection.main
          if (key % 2 === 0) view.dispatch({ changes: { from: head, insert: '1' }, selection: { anchor: head + 1 } })
          else view.dispatch({ changes: { from: head - 1, to: head }, selection: { anchor: head - 1 } })
          while (output.state.doc === before) await new Promise(done => setTimeout(done))
          await painted()
          // The first ones warm up what is compiled when it is used.
          if (key >= 5) times.push(performance.now() - start)
          await new Promise(done => setTimeout(done, 20))
        }
        return times.sort((a, b) => a - b)
      })
      const at = share => times[Math.min(times.length - 1, Math.floor(share * times.length))]
      console.log(`# key to paint, ${objects} objects: p50 ${at(0.5).toFixed(0)} ms, p95 ${at(0.95).toFixed(0)} ms`)
      assert.ok(at(0.5) < 2_000)
    }))
}

test('ten thousand objects do not freeze the page', () =>
  visit(site, async page => {
    page.setDefaultTimeout(60_000)
    await compiled(page)
    await watch(page)
    await page.setInputFiles('#chooser', { name: 'large.yaml', mimeType: 'text/yaml', buffer: Buffer.from(cluster(10_000)) })
    await status(page, /^100\d\d objects .* ms$/)
    assert.match(await textOf(page, 'output'), /^backend default_app-3332_8080$/m)
    console.log(`# 10,000 objects: ${await page.textContent('#status')}; the page stood still for ${(await longest(page)).toFixed(0)} ms at most`)
    assert.ok((await longest(page)) < PATIENCE)
  }))

test('five megabytes of text do not freeze the page', () =>
  visit(site, async page => {
    page.setDefaultTimeout(60_000)
    await compiled(page)
    await watch(page)
    await paste(page, `# ${'x'.repeat(78)}\n`.repeat(65_000))
    await status(page, /^0 objects .* ms$/)
    await page.keyboard.press('Control+Home')
    await page.keyboard.type('kind: [')
    await status(page, /does not parse/)
    console.log(`# 5 MB of text: the page stood still for ${(await longest(page)).toFixed(0)} ms at most`)
    assert.ok((await longest(page)) < PATIENCE)
  }))

test('a thousand findings do not freeze the page', () =>
  visit(site, async page => {
    page.setDefaultTimeout(60_000)
    await compiled(page)
    await watch(page)
    await paste(page, cluster(3_000).replaceAll('cors-max-age: "600"', 'cors-max-aeg: "soon"'))
    await status(page, /^300\d objects .* 1000 warnings/)
    console.log(`# 1,000 findings: the page stood still for ${(await longest(page)).toFixed(0)} ms at most`)
    assert.ok((await longest(page)) < PATIENCE)
  }))
