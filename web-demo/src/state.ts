// What the page knows, and how events change it: (state, event) → state, nothing else.

import type { Output } from './engine/dto'

/** The versions of HAProxy that can be chosen; the first one is for whoever has not chosen. */
export const VERSIONS = ['3.2', '3.4', '3.0', '2.8', '2.6', '2.4'] as const

/** Where the reader looks. */
export type Focus =
  | { side: 'resources'; offset: number }
  | { side: 'configuration'; path: string; line: number }

/** A result, and the text that it is the result of. */
export interface Result {
  text: string
  output: Output
  milliseconds: number
}

export interface State {
  /** The resources, as they stand in the editor. */
  text: string
  /** The chosen version of HAProxy. */
  haproxy: string
  /** The resources that HAProxy is thought to run. */
  running: string | null
  /** The newest answer, whatever it says. */
  latest: Result | null
  /** The newest answer to a text that parses: what is shown. */
  good: Result | null
  /** The path of the file that is shown. */
  file: string | null
  focus: Focus
  engine: 'loading' | 'ready' | 'unusable'
  version: string
  /** Why the newest text has no answer. */
  trouble: string | null
}

export type Event =
  | { type: 'edited'; text: string }
  | { type: 'haproxy chosen'; haproxy: string }
  | { type: 'file chosen'; path: string }
  | { type: 'looked at'; focus: Focus }
  | { type: 'applied' }
  | { type: 'opened'; text: string; haproxy: string }
  | { type: 'engine ready'; version: string }
  | { type: 'compiled'; text: string; output: Output; milliseconds: number }
  | { type: 'engine failed'; message: string; loaded: boolean }

export function start(text: string, haproxy: string): State {
  return {
    text,
    haproxy,
    running: null,
    latest: null,
    good: null,
    file: null,
    focus: { side: 'resources', offset: 0 },
    engine: 'loading',
    version: '',
    trouble: null,
  }
}

export function next(state: State, event: Event): State {
  switch (event.type) {
    case 'edited':
      return { ...state, text: event.text }
    case 'haproxy chosen':
      return { ...state, haproxy: event.haproxy }
    case 'file chosen':
      return { ...state, file: event.path }
    case 'looked at':
      return { ...state, focus: event.focus }
    case 'applied':
      return state.good ? { ...state, running: state.good.text } : state
    case 'opened':
      return {
        ...state,
        text: event.text,
        haproxy: event.haproxy,
        running: null,
        focus: { side: 'resources', offset: 0 },
      }
    case 'engine ready':
      // After a restart the explanation of it stays until there is an answer.
      return { ...state, engine: 'ready', version: event.version }
    case 'compiled':
      return compiled(state, event)
    case 'engine failed':
      return { ...state, engine: event.loaded ? 'loading' : 'unusable', trouble: event.message }
  }
}

function compiled(state: State, { text, output, milliseconds }: Event & { type: 'compiled' }): State {
  const latest = { text, output, milliseconds }
  const good = output.parsed || !state.good ? latest : state.good
  return {
    ...state,
    latest,
    good,
    // What is opened is what runs: from then on the plan says what the edits would cost.
    running: state.running ?? (output.parsed ? text : null),
    file: shownFile(good.output, state.file),
    trouble: null,
  }
}

/** The chosen file if it is still there, else the main configuration. */
function shownFile(output: Output, chosen: string | null): string | null {
  const still = output.files.find(it => it.path === chosen)
  return (still ?? output.files.find(it => it.role === 'config'))?.path ?? null
}

/** Whether what is shown is older than the text, because the text does not parse. */
export function isStale(state: State): boolean {
  return state.latest !== null && !state.latest.output.parsed
}

/** Whether places in the shown result are places in the editor's text. */
export function isCurrent(state: State): boolean {
  return state.good !== null && state.good.text === state.text
}
