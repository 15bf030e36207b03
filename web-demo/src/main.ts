// Starts the page: restores what was edited, mounts the parts, and keeps them a function of the state.

import { byId, count, make } from './dom'
import * as yaml from './editor/yaml'
import { learnKeys } from './editor/keys'
import { markLines, markParts } from './editor/marks'
import type { Place } from './engine/dto'
import { examples } from './examples'
import { showTabs } from './output/tabs'
import { baseName, goToLine, outputView, showFile } from './output/view'
import { showFindings, summary } from './panels/findings'
import { showPlan } from './panels/plan'
import { showTrace } from './panels/trace'
import { Engine } from './protocol'
import { trace, type Line } from './provenance'
import { fromFragment, remember, restore, toFragment, withoutSecrets, type Shared } from './share'
import { VERSIONS, isCurrent, isStale, next, start, type Event, type State } from './state'

/** Between two announcements of the status line, so that screen readers can keep up. */
const ANNOUNCE_EVERY = 1_000
const SAVE_AFTER = 500

// The worker loads while the editors are built.
const engine = new Engine({
  ready: (version, keys) => {
    learnKeys(keys)
    dispatch({ type: 'engine ready', version })
  },
  output: ({ text }, output, milliseconds) => dispatch({ type: 'compiled', text, output, milliseconds }),
  failed: (_request, message, loaded) => dispatch({ type: 'engine failed', message, loaded }),
})

const saved = restore()
let knowsThePage = saved?.knowsThePage ?? false
const first = await firstShown()
let state = start(first.text, first.haproxy)
let notice = first.notice

const editor = yaml.yamlEditor(byId('yaml'), state.text, {
  edited: text => dispatch({ type: 'edited', text }),
  lookedAt: offset => dispatch({ type: 'looked at', focus: { side: 'resources', offset } }),
  left: save,
})
const output = outputView(byId('output'), line => {
  if (state.file !== null) {
    dispatch({ type: 'looked at', focus: { side: 'configuration', path: state.file, line } })
  }
})
const ways = {
  toPlace: (place: Place) => yaml.goTo(editor, place.from, place.to),
  toLine: ({ file, number }: Pick<Line, 'file' | 'number'>) => {
    dispatch({ type: 'file chosen', path: file.path })
    goToLine(output, number)
  },
  apply: () => {
    dispatch({ type: 'applied' })
    byId('resources').focus()
  },
}

mountTools()
engine.submit(state)
showStatus()

/** The address, else what was edited last time, else the first example. */
async function firstShown(): Promise<Shared & { notice: string }> {
  const example = { text: examples[0]?.text ?? '', haproxy: VERSIONS[0], notice: '' }
  const own = saved ? { text: saved.text, haproxy: known(saved.haproxy), notice: '' } : example
  const fragment = location.hash.slice(1)
  if (fragment === '') return own
  try {
    const shared = await fromFragment(fragment)
    return { text: shared.text, haproxy: known(shared.haproxy), notice: '' }
  } catch {
    return { ...own, notice: 'The link is damaged or of another version of this page; your own text is shown.' }
  }
}

function known(haproxy: string): string {
  return VERSIONS.find(it => it === haproxy) ?? VERSIONS[0]
}

function dispatch(event: Event): void {
  const before = state
  state = next(state, event)
  const asked =
    state.text !== before.text || state.haproxy !== before.haproxy || state.running !== before.running
  if (asked) engine.submit(state)
  if (event.type === 'edited') {
    notice = ''
    saveSoon()
  }
  if (state.good !== before.good || state.file !== before.file) showResult(before)
  if (state.latest !== before.latest) showLatest()
  if (state.good !== before.good || state.focus !== before.focus || state.file !== before.file) {
    showProvenance()
  }
  byId('version').textContent = state.version && `Engine ${state.version}`
  if (event.type !== 'looked at') showStatus()
}

function shownFile() {
  return state.good?.output.files.find(it => it.path === state.file)
}

function showResult(before: State): void {
  const { good } = state
  const file = shownFile()
  if (!good) return
  if (file) showFile(output, file, before.file === state.file && before.good !== null)
  showTabs(byId('files'), byId('output'), good.output.files, state.file, path =>
    dispatch({ type: 'file chosen', path }),
  )
  const sections = byId<HTMLSelectElement>('sections')
  sections.disabled = file?.role !== 'config'
  if (state.good !== before.good) {
    sections.replaceChildren(
      make('option', { value: '' }, 'section…'),
      ...good.output.sections.map(it => make('option', { value: String(it.firstLine) }, it.name)),
    )
  }
}

function showLatest(): void {
  if (!state.latest) return
  const { output: newest, text } = state.latest
  showFindings(byId('findings-title'), byId('findings'), newest, ways.toPlace)
  if (text === state.text) yaml.showFindings(editor, newest)
  showPlan(byId('plan'), state.good?.output ?? newest, ways)
  byId('stale').hidden = !isStale(state)
  byId('configuration').classList.toggle('is-stale', isStale(state))
  byId('with-secrets').hidden = newest.secrets.length === 0
}

function showProvenance(): void {
  const { good, focus } = state
  if (!good) return
  const seen = trace(good.output, focus)
  const here = seen.lines.filter(it => it.file.path === state.file)
  if (isCurrent(state)) markParts(editor, seen.places.map(it => ({ ...it, from: it.keyFrom ?? it.from })))
  else markParts(editor, [])
  markLines(output, here.map(it => it.number))
  showTrace(byId('trace'), good.output, focus, seen, ways)
}

let announced = 0
let announcing: number | undefined

function showStatus(): void {
  clearTimeout(announcing)
  const wait = announced + ANNOUNCE_EVERY - performance.now()
  announcing = window.setTimeout(() => {
    announced = performance.now()
    byId('status').textContent = statusText()
    byId('status').classList.toggle('trouble', notice === '' && state.trouble !== null)
  }, Math.max(wait, 0))
}

function statusText(): string {
  if (notice) return notice
  if (state.trouble) {
    return state.engine === 'unusable'
      ? `The engine does not run in this browser: ${state.trouble}`
      : `The engine stopped: ${state.trouble}`
  }
  if (!state.latest) return 'Loading the engine…'
  const { output: newest, milliseconds } = state.latest
  if (isStale(state)) return `The text does not parse: ${summary(newest)}. The last good result is shown.`
  const lines = newest.files.find(it => it.role === 'config')?.content.split('\n').length ?? 1
  const parts = [
    `${count(newest.objects.length, 'object')} → ${count(lines - 1, 'line')} in ${count(newest.files.length, 'file')}`,
    summary(newest),
    `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`,
  ]
  return parts.filter(it => it !== '').join(' · ')
}

function say(text: string): void {
  notice = text
  showStatus()
}

function mountTools(): void {
  const chosenExample = byId<HTMLSelectElement>('examples')
  chosenExample.append(
    make('option', { value: '' }, 'choose…'),
    ...examples.map(it => make('option', { value: it.name }, it.title)),
  )
  chosenExample.onchange = () => {
    const example = examples.find(it => it.name === chosenExample.value)
    chosenExample.value = ''
    if (!example) return
    dispatch({ type: 'opened', text: example.text, haproxy: state.haproxy })
    yaml.open(editor, example.text)
  }

  const versions = byId<HTMLSelectElement>('haproxy')
  const newestFirst = [...VERSIONS].sort((a, b) => Number(b) - Number(a))
  versions.append(...newestFirst.map(it => make('option', { value: it }, it)))
  versions.value = state.haproxy
  versions.onchange = () => {
    dispatch({ type: 'haproxy chosen', haproxy: versions.value })
    save()
  }

  const sections = byId<HTMLSelectElement>('sections')
  sections.onchange = () => {
    const number = Number(sections.value)
    const file = state.good?.output.files.find(it => it.role === 'config')
    sections.value = ''
    if (file && number > 0) ways.toLine({ file, number })
  }

  const intro = byId('intro')
  intro.hidden = knowsThePage
  byId('understood').onclick = () => {
    knowsThePage = true
    intro.hidden = true
    save()
    editor.focus()
  }

  byId('share').onclick = () => void share()
  byId('copy').onclick = () => {
    const file = shownFile()
    if (file) void copy(file.content, `${baseName(file.path)} copied`, 'The browser does not allow copying')
  }
  byId('download').onclick = download
}

async function share(): Promise<void> {
  const whole = byId('with-secrets').querySelector('input')?.checked === true
  const newest = state.latest?.text === state.text ? state.latest.output : null
  if (!whole && /secret/i.test(state.text) && !(newest && knowsItsSecrets(newest.diagnostics))) {
    byId('with-secrets').hidden = false
    say('No link: the text has errors, so what is secret in it cannot be told. Tick “with Secrets” to share all of it.')
    return
  }
  const secrets = whole ? [] : (newest?.secrets ?? [])
  const text = withoutSecrets(state.text, secrets)
  history.replaceState(null, '', `#${await toFragment({ text, haproxy: state.haproxy })}`)
  const left = secrets.length > 0 ? `; ${count(secrets.length, 'value')} of Secrets left out` : ''
  await copy(location.href, `Link copied${left}`, `The link is in the address bar${left}`)
}

/** Whether every Secret of the text was read, and only once: others have no known places. */
function knowsItsSecrets(diagnostics: { severity: string; code: string; message: string }[]): boolean {
  return !diagnostics.some(
    it =>
      it.severity === 'error' ||
      it.code.startsWith('duplicate-') ||
      (it.code === 'skipped-kind' && /secret/i.test(it.message)),
  )
}

async function copy(text: string, done: string, failed: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
    say(done)
  } catch {
    say(failed)
  }
}

function download(): void {
  const file = shownFile()
  if (!file) return
  const address = URL.createObjectURL(new Blob([file.content], { type: 'text/plain' }))
  make('a', { href: address, download: baseName(file.path) }).click()
  URL.revokeObjectURL(address)
}

let saving: number | undefined

function saveSoon(): void {
  clearTimeout(saving)
  saving = window.setTimeout(save, SAVE_AFTER)
}

function save(): void {
  clearTimeout(saving)
  remember({ text: state.text, haproxy: state.haproxy }, knowsThePage)
}
