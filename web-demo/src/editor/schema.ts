// Completions and hovers for the fields of the resources, from the schemas of the engine.

import type { Completion, CompletionContext, CompletionResult } from '@codemirror/autocomplete'
import type { Extension } from '@codemirror/state'
import { hoverTooltip } from '@codemirror/view'

import { make, spans } from '../dom'
import type { Schema, SchemaField } from '../engine/dto'
import { whereIs } from './where'

const known = new Map<string, Schema>()

export function learnSchemas(schemas: Schema[]): void {
  known.clear()
  for (const schema of schemas) known.set(schema.kind, schema)
}

/** Words that are the only ones of a field, by its name. */
const WORDS: Record<string, string[]> = {
  pathType: ['Prefix', 'Exact', 'ImplementationSpecific'],
  protocol: ['TCP', 'UDP', 'SCTP'],
  addressType: ['IPv4', 'IPv6', 'FQDN'],
  type: ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'],
}

function fieldsAt(kind: string | null, path: string[]): SchemaField[] {
  let fields = (kind && known.get(kind)?.fields) || []
  for (const name of path) fields = fields.find(it => it.name === name)?.fields ?? []
  return fields
}

/** Fields where a field can begin, kinds and words behind some of them. */
export function completeFields(context: CompletionContext): CompletionResult | null {
  const { doc } = context.state
  const line = doc.lineAt(context.pos)
  const before = line.text.slice(0, context.pos - line.from)
  const value = /^\s*(?:- +)*(\w+):\s+(\w*)$/.exec(before)
  if (value) return wordsOf(value[1] ?? '', context.pos - (value[2] ?? '').length)
  const [, blank = '', dashes = '', typed] = /^(\s*)((?:- +)*)(\w*)$/.exec(before) ?? []
  if (typed === undefined || (typed === '' && !context.explicit)) return null
  const { kind, path } = whereIs(doc, line.number, blank.length + dashes.length)
  const options = fieldsAt(kind, path).map((it): Completion => {
    const holds = it.isList || it.fields.length > 0 || it.expected === 'a mapping'
    return { label: it.name, detail: it.expected.replaceAll('`', ''), apply: holds ? `${it.name}:` : `${it.name}: ` }
  })
  if (options.length === 0) return null
  return { from: context.pos - typed.length, options, validFor: /^\w*$/ }
}

function wordsOf(name: string, from: number): CompletionResult | null {
  const words =
    name === 'kind'
      ? [...known.keys()]
      : name === 'apiVersion'
        ? [...new Set([...known.values()].map(it => it.apiVersion))]
        : WORDS[name]
  return words ? { from, options: words.map(label => ({ label })), validFor: /^[\w./]*$/ } : null
}

export const schemaHelp: Extension = hoverTooltip(
  (view, position) => {
    const { doc } = view.state
    const line = doc.lineAt(position)
    const [, before = '', name = ''] = /^(\s*(?:- +)*)(\w+):/.exec(line.text) ?? []
    const from = line.from + before.length
    if (name === '' || position < from || position > from + name.length) return null
    const { kind, path } = whereIs(doc, line.number, before.length)
    const field = fieldsAt(kind, path).find(it => it.name === name)
    if (!field || field.expected === 'anything') return null
    const facts = [[kind, ...path].join('.'), field.expected].join(' · ')
    return {
      pos: from,
      end: from + name.length,
      above: true,
      create: () => ({
        dom: make('div', { className: 'cm-key' }, make('strong', {}, name), make('div', { className: 'facts' }, ...spans(facts))),
      }),
    }
  },
  { hoverTime: 600, hideOnChange: true },
)
