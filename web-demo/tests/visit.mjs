// A visit of the page: opens it, and fails on anything that the browser complains about.

import assert from 'node:assert/strict'

/** Opens a path of the site, gives the page to `body`. */
export async function visit(site, body, { path = '', expectErrors = false, prepare, ...options } = {}) {
  const context = await site.browser.newContext({
    viewport: { width: 1280, height: 800 },
    permissions: ['clipboard-read', 'clipboard-write'],
    ...options,
  })
  const page = await context.newPage()
  // A machine that has a lot to do beside takes its time; who waits for what comes does not wait so long.
  page.setDefaultTimeout(60_000)
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

export const compiled = page => status(page, /\d lines? in \d+ files?.* ms$/)

export async function status(page, wanted) {
  await page.waitForFunction(
    ([source, flags]) =>
      new RegExp(source, flags).test(document.querySelector('[role=status]').textContent),
    [wanted.source, wanted.flags],
  )
}

/** Text of an editor. CodeMirror draws only what can be seen, so that its own document is asked. */
export const textOf = (page, id) =>
  page.evaluate(
    it => document.querySelector(`#${it} .cm-content`).cmTile.view.state.doc.toString(),
    id,
  )

/** Tabs of the result. */
export const results = (page, options) => page.locator('#files').getByRole('tab', options)

export const yaml = page => page.getByRole('textbox', { name: 'Kubernetes resources, YAML' })

/** Replaces the resources, as pasting does. */
export async function paste(page, text) {
  await yaml(page).focus()
  await page.keyboard.press('Control+A')
  await page.evaluate(it => navigator.clipboard.writeText(it), text)
  await page.keyboard.press('Control+V')
}

/** Puts the cursor behind the first occurrence of a text in an editor. */
export async function lookAt(page, id, text) {
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

export const eventually = (page, check, argument) => page.waitForFunction(check, argument)
