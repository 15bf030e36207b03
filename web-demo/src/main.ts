// Starts the page: restores what was edited, mounts the parts, and keeps them a function of the state.

import { byId, make } from './dom'
import { learnKeys } from './editor/keys'
import { learnSchemas } from './editor/schema'
import { markLines, markParts } from './editor/marks'
import { ResourceEditor } from './editor/yaml'
import type { Fix, Place, Question, Section } from './engine/dto'
import { showModel } from './output/model'
import { showStatusOf } from './output/status'
import { resultTabs, viewOf } from './output/tabs'
import { goToLine, outputView, scrollToLine, showFile, showFindingsOf } from './output/view'
import { mountFiles, showFiles } from './panels/files'
import { showFindings } from './panels/findings'
import { showPlan } from './panels/plan'
import { fill, mountRequest, showDecision, showKept } from './panels/request'
import { showTrace } from './panels/trace'
import { Engine } from './protocol'
import { trace, type Line } from './provenance'
import { firstShown } from './first'
import { Announcer } from './announce'
import {
  activeText,
  answerTo,
  isCurrent,
  isSame,
  isStale,
  next,
  outcome,
  shownPath,
  start,
  type Event,
  type State,
} from './state'
import { mountSplitter } from './splitter'
import { showTabs } from './tablist'
import { Tools } from './tools'

// The worker loads while the editors are built.
const engine = new Engine({
  ready: ({ version, keys, schemas }) => {
    learnKeys(keys)
    learnSchemas(schemas)
    dispatch({ type: 'engine ready', version })
  },
  output: ({ files, questions }, output, milliseconds) =>
    dispatch({ type: 'compiled', files, questions, output, milliseconds }),
  failed: (_request, message, loaded) => dispatch({ type: 'engine failed', message, loaded }),
})

const first = await firstShown()
let state = start(first.input)
const announcer = new Announcer(first.notice)
const tools = new Tools(first, {
  state: () => state,
  dispatch,
  say: text => announcer.say(text, state),
  toLine: line => ways.toLine(line),
  focusEditor: () => editor.view.focus(),
})

const editor = new ResourceEditor(byId('yaml'), { name: state.active, text: activeText(state) }, {
  edited: (name, text) => dispatch({ type: 'edited', name, text }),
  lookedAt: (file, offset) => dispatch({ type: 'looked at', focus: { side: 'resources', file, offset } }),
  left: () => tools.save(),
})
const output = outputView(byId('output'), line => {
  const path = shownPath(state)
  if (path !== null) dispatch({ type: 'looked at', focus: { side: 'configuration', path, line } })
})
const ways = {
  toPlace: ({ file, from, to }: Place) => {
    dispatch({ type: 'file opened', name: file })
    editor.goTo(from, to)
  },
  toLine: ({ file, number }: Pick<Line, 'file' | 'number'>) => {
    dispatch({ type: 'view chosen', view: { kind: 'file', path: file.path } })
    goToLine(output, number)
  },
  fix: (fix: Fix) => {
    dispatch({ type: 'file opened', name: fix.file })
    editor.apply(fix)
  },
  useConfigMap: (name: string) => dispatch({ type: 'ConfigMap chosen', configMap: name }),
  toNumber: (path: string, number: number) => {
    const file = state.good?.output.files.find(it => it.path === path)
    if (file) ways.toLine({ file, number })
  },
  pin: () => {
    dispatch({ type: 'pinned' })
    byId('resources').focus()
  },
}
const requestWays = {
  ask: (asked: Question) => dispatch({ type: 'asked', question: asked }),
  keep: () => {
    const explained = isCurrent(state) ? answerTo(state.good, state.asked) : undefined
    dispatch({ type: 'request kept', expected: explained ? outcome(explained) : null })
  },
  forget: (index: number) => dispatch({ type: 'request forgotten', index }),
  lookAt: (step: number | null) => dispatch({ type: 'looked at', focus: { side: 'request', step } }),
  toPlace: ways.toPlace,
  say: (text: string) => announcer.say(text, state),
}
const fileWays = {
  open: (name: string) => dispatch({ type: 'file opened', name }),
  add: (files: { name: string; text: string }[]) => {
    dispatch({ type: 'files added', files })
    editor.view.focus()
  },
  rename: (name: string, to: string) => {
    const before = state.active
    dispatch({ type: 'file renamed', name, to })
    if (state.active === before && to.trim() !== name) fileWays.say(`There is a file ${to.trim()} already.`)
  },
  remove: (name: string) => {
    dispatch({ type: 'file removed', name })
    editor.view.focus()
  },
  say: (text: string) => announcer.say(text, state),
}

mountFiles(() => state.active, fileWays)
showFiles(state.files, state.active, fileWays)
mountRequest(state.asked, requestWays)
showPanels()
mountSplitter(byId('splitter'), document.querySelector('main') ?? document.body)
ask()
announcer.show(state)

function dispatch(event: Event): void {
  const before = state
  state = next(state, event)
  if (event.type === 'file renamed' && state.files !== before.files) editor.rename(event.name, event.to.trim())
  if (event.type === 'opened') editor.forget()
  if (event.type !== 'edited' && (state.active !== before.active || state.files !== before.files)) {
    editor.show({ name: state.active, text: activeText(state) })
    if (isAnswered()) showMarkers()
  }
  if (event.type !== 'edited' && (state.active !== before.active || state.files !== before.files)) {
    showFiles(state.files, state.active, fileWays)
  }
  if (isAsked(before)) ask()
  if (event.type === 'opened') fill(state.asked)
  if (state.panel !== before.panel) showPanels()
  if (state.files !== before.files) announcer.forget()
  tools.follow(event, before)
  if (state.good !== before.good || state.view !== before.view) showResult(before)
  if (state.latest !== before.latest) showLatest()
  if (state.good && (state.latest !== before.latest || state.kept !== before.kept)) {
    showKept(byId('kept'), state.kept, state.good, requestWays)
  }
  const isTraceOther =
    state.latest !== before.latest ||
    state.focus !== before.focus ||
    state.view !== before.view ||
    state.active !== before.active ||
    state.trouble !== before.trouble
  // While an answer is on its way, places are those of another text: it is traced when the answer is there.
  if (isTraceOther && (isAnswered() || state.trouble !== null)) showProvenance()
  byId('version').textContent = state.version && `Engine ${state.version}`
  if (event.type !== 'looked at') announcer.show(state)
}

function isAsked(before: State): boolean {
  return (
    state.files !== before.files ||
    state.haproxy !== before.haproxy ||
    state.configMap !== before.configMap ||
    state.running !== before.running ||
    state.asked !== before.asked ||
    state.kept.length !== before.kept.length ||
    (state.panel !== before.panel && state.panel === 'change') ||
    (state.view?.kind === 'model' && before.view?.kind !== 'model')
  )
}

/** Asks the engine for what is shown, and no more. */
function ask(): void {
  engine.submit({
    files: state.files,
    haproxy: state.haproxy,
    configMap: state.configMap,
    running: state.running,
    model: state.view?.kind === 'model',
    difference: state.panel === 'change',
    questions: [state.asked, ...state.kept.map(it => it.question)],
  })
}

function showPanels(): void {
  const tabs = (['request', 'change'] as const).map(key => ({
    key,
    label: key === 'request' ? 'Request' : 'Change',
    title: key === 'request' ? 'Where a request goes, and why' : 'What an edit costs a running HAProxy',
    selected: state.panel === key,
  }))
  showTabs(byId('panels'), byId(state.panel === 'request' ? 'request' : 'change'), tabs, key =>
    dispatch({ type: 'panel chosen', panel: key === 'change' ? 'change' : 'request' }),
  )
  byId('request').hidden = state.panel !== 'request'
  byId('change').hidden = state.panel !== 'change'
}

/** Whether the newest answer is about what stands in the editor. */
function isAnswered(): boolean {
  return state.latest !== null && isSame(state.latest.files, state.files)
}

function showResult(before: State): void {
  const { good, view } = state
  if (!good) return
  showTabs(byId('files'), byId('shown'), resultTabs(good.output.files, view), key =>
    dispatch({ type: 'view chosen', view: viewOf(key) }),
  )
  const path = shownPath(state)
  const file = good.output.files.find(it => it.path === path)
  byId('output').hidden = !file
  byId('other').hidden = Boolean(file)
  if (file) {
    showFile(output, file, before.good !== null && shownPath(before) === path)
    showFindingsOf(output, good.output, file)
    // At first, what everybody has is less interesting than what the resources made of it.
    const own = good.output.sections.find(it => it.name.startsWith('frontend _front'))
    if (!before.good && own) scrollToLine(output, own.firstLine)
  }
  if (view?.kind === 'model') showModel(byId('other'), good.output, ways)
  if (view?.kind === 'status') showStatusOf(byId('other'), good.output, ways)
  const sections = byId<HTMLSelectElement>('sections')
  sections.disabled = file?.role !== 'config'
  if (state.good !== before.good && !isSameList(good.output.sections, before.good?.output.sections)) {
    sections.replaceChildren(
      make('option', { value: '' }, 'section…'),
      ...good.output.sections.map(it => make('option', { value: String(it.firstLine) }, it.name)),
    )
  }
}

function isSameList(now: readonly Section[], before: readonly Section[] | undefined): boolean {
  return (
    now.length === before?.length &&
    now.every((it, index) => it.name === before[index]?.name && it.firstLine === before[index]?.firstLine)
  )
}

function showLatest(): void {
  if (!state.latest) return
  const { output: newest } = state.latest
  showFindings(byId('findings-title'), byId('findings'), newest, isAnswered() ? ways : { ...ways, fix: null })
  if (isAnswered()) showMarkers()
  const shown = state.good?.output ?? newest
  showPlan(byId('change'), shown, ways)
  showDecision(byId('decision'), state.good ?? state.latest, state.asked, requestWays)
  byId('stale').hidden = !isStale(state)
  byId('configuration').classList.toggle('is-stale', isStale(state))
  byId('with-secrets').hidden = newest.secrets.length === 0
}

function showMarkers(): void {
  if (state.latest) editor.showFindings(state.latest.output)
}

function showProvenance(): void {
  const { good, focus } = state
  if (!good) return
  const seen = trace(good.output, focus)
  const path = shownPath(state)
  const here = seen.lines.filter(it => it.file.path === path)
  const parts = seen.places.filter(it => it.file === state.active)
  markParts(editor.view, isCurrent(state) ? parts.map(it => ({ ...it, from: it.keyFrom ?? it.from })) : [])
  markLines(output, here.map(it => it.number))
  showTrace(byId('trace'), good.output, focus, seen, ways)
}
