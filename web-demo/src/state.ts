// What the page knows, and how events change it: (state, event) → state, nothing else.

import { question } from './curl'
import type { Explained, Manifest, Output, Question } from './engine/dto'

/** The versions of HAProxy that can be chosen; the first one is for whoever has not chosen. */
export const VERSIONS = ['3.2', '3.4', '3.0', '2.8', '2.6', '2.4'] as const

/** What a text is called that nobody has named. */
export const UNNAMED = 'resources.yaml'

/** Where the reader looks. */
export type Focus =
  | { side: 'resources'; file: string; offset: number }
  | { side: 'configuration'; path: string; line: number }
  /** A step of the decision about the request in the form, or all of them. */
  | { side: 'request'; step: number | null }

/** What is shown of the result: a file by its path, or one of the other views. */
export type View = { kind: 'file'; path: string } | { kind: 'model' } | { kind: 'status' }

/** What the third panel shows. */
export type Panel = 'request' | 'change'

/** A request that is kept, and what became of it when it was. */
export interface SavedRequest {
  question: Question
  /** Absent until there is an answer. */
  expected: string | null
}

/** What the page is about: all that a link carries. */
export interface Input {
  /** The resources, in the order of their tabs; never empty. */
  files: readonly Manifest[]
  /** The chosen version of HAProxy. */
  haproxy: string
  /** The global ConfigMap, as `namespace/name`. */
  configMap: string | null
  /** The resources that HAProxy is thought to run. */
  running: readonly Manifest[] | null
  /** Requests that are asked again after each edit. */
  kept: readonly SavedRequest[]
}

/** A result, and the files that it is the result of. */
export interface Result {
  files: readonly Manifest[]
  /** The requests that it answers. */
  questions: readonly Question[]
  output: Output
  milliseconds: number
}

export interface State extends Input {
  /** The name of the file in the editor. */
  active: string
  /** The newest answer, whatever it says. */
  latest: Result | null
  /** The newest answer to a text that parses: what is shown. */
  good: Result | null
  view: View | null
  panel: Panel
  /** The request in the form. */
  asked: Question
  focus: Focus
  engine: 'loading' | 'ready' | 'unusable'
  version: string
  /** Why the newest text has no answer. */
  trouble: string | null
}

export type Event =
  | { type: 'edited'; name: string; text: string }
  | { type: 'file opened'; name: string }
  | { type: 'files added'; files: readonly Manifest[] }
  | { type: 'file renamed'; name: string; to: string }
  | { type: 'file removed'; name: string }
  | { type: 'haproxy chosen'; haproxy: string }
  | { type: 'ConfigMap chosen'; configMap: string | null }
  | { type: 'view chosen'; view: View }
  | { type: 'panel chosen'; panel: Panel }
  | { type: 'asked'; question: Question }
  | { type: 'request kept'; expected: string | null }
  | { type: 'request forgotten'; index: number }
  | { type: 'looked at'; focus: Focus }
  | { type: 'pinned' }
  | { type: 'opened'; input: Input }
  | { type: 'engine ready'; version: string }
  | { type: 'compiled'; files: readonly Manifest[]; questions: readonly Question[]; output: Output; milliseconds: number }
  | { type: 'engine failed'; message: string; loaded: boolean }

export function start(input: Input): State {
  return {
    ...opened(input),
    latest: null,
    good: null,
    view: null,
    panel: 'request',
    engine: 'loading',
    version: '',
    trouble: null,
  }
}

export function next(state: State, event: Event): State {
  switch (event.type) {
    case 'edited':
      return {
        ...state,
        files: state.files.map(it => (it.name === event.name ? { ...it, text: event.text } : it)),
      }
    case 'file opened':
      return state.files.some(it => it.name === event.name) ? { ...state, active: event.name } : state
    case 'files added': {
      const added = unique(event.files, state.files)
      return { ...state, files: [...state.files, ...added], active: added.at(0)?.name ?? state.active }
    }
    case 'file renamed':
      return renamed(state, event.name, event.to)
    case 'file removed':
      return removed(state, event.name)
    case 'haproxy chosen':
      return { ...state, haproxy: event.haproxy }
    case 'ConfigMap chosen':
      return { ...state, configMap: event.configMap }
    case 'view chosen':
      return { ...state, view: event.view }
    case 'panel chosen':
      return { ...state, panel: event.panel }
    case 'asked':
      return { ...state, asked: event.question }
    case 'request kept':
      return { ...state, kept: [...state.kept, { question: state.asked, expected: event.expected }] }
    case 'request forgotten':
      return { ...state, kept: state.kept.filter((_, index) => index !== event.index) }
    case 'looked at':
      return { ...state, focus: event.focus }
    case 'pinned':
      return state.good ? { ...state, running: state.good.files } : state
    case 'opened':
      return { ...state, ...opened(event.input) }
    case 'engine ready':
      // After a restart the explanation of it stays until there is an answer.
      return { ...state, engine: 'ready', version: event.version }
    case 'compiled':
      return compiled(state, event)
    case 'engine failed':
      return { ...state, engine: event.loaded ? 'loading' : 'unusable', trouble: event.message }
  }
}

function opened(input: Input): Input & Pick<State, 'active' | 'asked' | 'focus'> {
  const files = unique(input.files.length > 0 ? input.files : [{ name: UNNAMED, text: '' }], [])
  const active = files[0]?.name ?? UNNAMED
  const asked = input.kept[0]?.question ?? question('')
  return { ...input, files, active, asked, focus: { side: 'resources', file: active, offset: 0 } }
}

/** Files under names that are free: `web.yaml`, `web-2.yaml`. */
function unique(files: readonly Manifest[], taken: readonly Manifest[]): Manifest[] {
  const names = new Set(taken.map(it => it.name))
  return files.map(({ name, text }) => {
    const whole = name.trim() || UNNAMED
    const [, stem = whole, ending = ''] = /^(.+?)(\.[^.]*)?$/.exec(whole) ?? []
    let free = whole
    for (let number = 2; names.has(free); number++) free = `${stem}-${number}${ending}`
    names.add(free)
    return { name: free, text }
  })
}

function renamed(state: State, name: string, to: string): State {
  const wanted = to.trim()
  if (wanted === '' || state.files.some(it => it.name === wanted)) return state
  const rename = (it: string) => (it === name ? wanted : it)
  const focus =
    state.focus.side === 'resources' ? { ...state.focus, file: rename(state.focus.file) } : state.focus
  return {
    ...state,
    files: state.files.map(it => ({ ...it, name: rename(it.name) })),
    // HAProxy runs the same as before: only the place has another name.
    running: state.running && state.running.map(it => ({ ...it, name: rename(it.name) })),
    active: rename(state.active),
    focus,
  }
}

function removed(state: State, name: string): State {
  const index = state.files.findIndex(it => it.name === name)
  if (index < 0) return state
  const left = state.files.filter(it => it.name !== name)
  const files = left.length > 0 ? left : [{ name: UNNAMED, text: '' }]
  const neighbour = files[Math.min(index, files.length - 1)]?.name ?? UNNAMED
  const active = state.active === name ? neighbour : state.active
  return { ...state, files, active, focus: { side: 'resources', file: active, offset: 0 } }
}

function compiled(
  state: State,
  { files, questions, output, milliseconds }: Event & { type: 'compiled' },
): State {
  const latest = { files, questions, output, milliseconds }
  const good = output.parsed || !state.good ? latest : state.good
  return {
    ...state,
    latest,
    good,
    // What is opened is what runs: from then on the plan says what the edits would cost.
    running: state.running ?? (output.parsed ? files : null),
    view: shownView(good.output, state.view),
    // What became of a kept request at first is what is expected of it.
    kept: output.parsed ? state.kept.map(it => answered(it, answerTo(latest, it.question))) : state.kept,
    trouble: null,
  }
}

function answered(it: SavedRequest, explained: Explained | undefined): SavedRequest {
  return it.expected === null && explained ? { ...it, expected: outcome(explained) } : it
}

/** What a result says of a request, if it was asked about it. */
export function answerTo(result: Result | null, question: Question): Explained | undefined {
  const index = result?.questions.indexOf(question) ?? -1
  return result?.output.explained[index]
}

/** What became of a request, in one line: what is compared when it is asked again. */
export function outcome(explained: Explained): string {
  if (explained.kind === 'wrong') return explained.message
  const { end, path, isServed } = explained
  return path === null || !isServed ? end : `${end} as \`${path}\``
}

/** The chosen view if its file is still there, else the main configuration. */
function shownView(output: Output, chosen: View | null): View | null {
  if (chosen && chosen.kind !== 'file') return chosen
  const still = output.files.find(it => it.path === chosen?.path)
  const path = (still ?? output.files.find(it => it.role === 'config'))?.path
  return path === undefined ? null : path === chosen?.path ? chosen : { kind: 'file', path }
}

/** The text in the editor. */
export function activeText(state: State): string {
  return state.files.find(it => it.name === state.active)?.text ?? ''
}

/** The path of the file that is shown, if a file is. */
export function shownPath(state: State): string | null {
  return state.view?.kind === 'file' ? state.view.path : null
}

/** Whether what is shown is older than the text, because the text does not parse. */
export function isStale(state: State): boolean {
  return state.latest !== null && !state.latest.output.parsed
}

/** Whether places in the shown result are places in the editor's texts. */
export function isCurrent(state: State): boolean {
  return state.good !== null && isSame(state.good.files, state.files)
}

/** Whether two lists of files are the same, names and texts. */
export function isSame(a: readonly Manifest[], b: readonly Manifest[]): boolean {
  if (a === b) return true
  return (
    a.length === b.length &&
    a.every((it, index) => it.name === b[index]?.name && it.text === b[index]?.text)
  )
}
