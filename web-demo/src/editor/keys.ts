// Completions and hovers for configuration keys, from the registry of the engine.

import {
  autocompletion,
  type Completion,
  type CompletionContext,
  type CompletionResult,
} from '@codemirror/autocomplete'
import type { Extension, Text } from '@codemirror/state'
import { hoverTooltip } from '@codemirror/view'

import { make, spans } from '../dom'
import type { Key } from '../engine/dto'
import { completeFields } from './schema'
import { whereIs } from './where'

const PREFIX = 'haproxy-ingress.github.io/'

/** The registry, once the engine has said it. */
const known = new Map<string, Key>()

export function learnKeys(keys: Key[]): void {
  known.clear()
  for (const key of keys) for (const name of [key.name, ...key.old]) known.set(name, key)
}

/** Whether an entry at a line is an annotation, an entry of a ConfigMap, or nothing of ours. */
function place(doc: Text, number: number, column: number): 'annotations' | 'data' | null {
  const { kind, path } = whereIs(doc, number, column)
  const inside = path.join('.')
  if (inside === 'metadata.annotations') return 'annotations'
  return inside === 'data' && kind === 'ConfigMap' ? 'data' : null
}

function complete(context: CompletionContext): CompletionResult | null {
  const { doc } = context.state
  const line = doc.lineAt(context.pos)
  const before = line.text.slice(0, context.pos - line.from)
  const value = /^\s+(?:[\w.-]+\/)?([\w-]+):\s+"?([\w-]*)$/.exec(before)
  if (value) return words(value[1] ?? '', context.pos - (value[2] ?? '').length, before.includes('"'))
  const name = /^\s+([\w./-]*)$/.exec(before)?.[1]
  if (name === undefined || (name === '' && !context.explicit)) return null
  const where = place(doc, line.number, before.length - name.length)
  if (!where) return null
  const options = [...known]
    .filter(([own, key]) => own === key.name && (where === 'data' || key.scope !== 'Global'))
    .map(([own, key]): Completion => {
      const full = where === 'annotations' ? PREFIX + own : own
      return {
        label: full,
        displayLabel: own,
        detail: key.scope,
        apply: `${full}: "${key.default ?? ''}"`,
        info: () => about(key),
      }
    })
  return { from: context.pos - name.length, options, validFor: /^[\w./-]*$/ }
}

function words(name: string, from: number, quoted: boolean): CompletionResult | null {
  const key = known.get(name)
  if (!key || key.words.length === 0) return null
  const options = key.words.map(it => ({ label: it, apply: quoted ? it : `"${it}"` }))
  return { from, options, validFor: /^[\w-]*$/ }
}

/** What the reference says about a key. */
function about(key: Key): HTMLElement {
  const [summary, ...rest] = key.doc.split('\n\n')
  const facts = [key.scope, key.expected, key.default === null ? 'no default' : `default ${key.default || 'empty'}`]
  return make(
    'div',
    { className: 'cm-key' },
    make('strong', {}, key.name),
    make('div', { className: 'facts' }, ...spans(facts.join(' · '))),
    ...[summary ?? '', ...rest].map(it => make('p', {}, ...spans(it.replaceAll('\n', ' ')))),
  )
}

const hover = hoverTooltip(
  (view, position) => {
    const line = view.state.doc.lineAt(position)
    const match = /^(\s+)((?:[\w.-]+\/)?([\w-]+)):/.exec(line.text)
    const [, indent = '', full = '', name = ''] = match ?? []
    const from = line.from + indent.length
    const to = from + full.length
    const key = known.get(name)
    if (!key || position < from || position > to || !place(view.state.doc, line.number, indent.length)) return null
    return { pos: from, end: to, above: true, create: () => ({ dom: about(key) }) }
  },
  // Whoever only clicks does not want to read.
  { hoverTime: 600, hideOnChange: true },
)

export const keyHelp: Extension = [
  autocompletion({ override: [complete, completeFields], icons: false, activateOnTypingDelay: 50 }),
  hover,
]
