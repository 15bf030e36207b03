// What became of each object.

import { count, make } from '../dom'
import type { Output, Place } from '../engine/dto'

/** So many objects are listed one by one. */
const LISTED = 500

export function showStatusOf(
  body: HTMLElement,
  output: Output,
  ways: { toPlace(place: Place): void },
): void {
  const lines = linesByObject(output)
  const findings = findingsByObject(output)
  const rows = output.objects.slice(0, LISTED).map(({ label, place, served }) => {
    const { error = 0, warning = 0, notice = 0 } = findings.get(label) ?? {}
    const state = error > 0 ? 'error' : warning > 0 ? 'warning' : 'good'
    const icon = { error: '✕', warning: '▲', good: '✓' }[state]
    const made = lines.get(label) ?? 0
    const found = (
      [
        [error, 'error'],
        [warning, 'warning'],
        [notice, 'notice'],
      ] as const
    ).flatMap(([number, word]) => (number > 0 ? [count(number, word)] : []))
    const facts = [
      made > 0 ? `made ${count(made, 'line')}` : 'made no line',
      ...found,
      ...(served === null
        ? []
        : [served ? 'its status gets the addresses of HAProxy' : 'not of this controller, its status is left alone']),
    ]
    const content = [
      make('span', { className: `mark ${state}` }, icon),
      make('span', { className: 'object' }, label),
      make('span', { className: 'facts' }, facts.join(' · ')),
    ]
    return make(
      'li',
      {},
      place
        ? make('button', { type: 'button', className: 'status-row', onclick: () => ways.toPlace(place) }, ...content)
        : make('div', { className: 'status-row' }, ...content),
    )
  })
  const rest = output.objects.length - rows.length
  body.replaceChildren(
    rows.length > 0
      ? make('ul', { className: 'list' }, ...rows)
      : make('p', { className: 'empty' }, 'There is no object that is read.'),
    ...(rest > 0 ? [make('p', { className: 'lead' }, `and ${rest} more.`)] : []),
  )
}

function linesByObject(output: Output): Map<string, number> {
  const lines = new Map<string, number>()
  for (const file of output.files) {
    for (const made of file.lines) {
      const objects = new Set(made.map(it => output.origins[it]?.object ?? null))
      for (const object of objects) {
        if (object !== null) lines.set(object, (lines.get(object) ?? 0) + 1)
      }
    }
  }
  return lines
}

type Counts = Partial<Record<'error' | 'warning' | 'notice', number>>

function findingsByObject(output: Output): Map<string, Counts> {
  const findings = new Map<string, Counts>()
  for (const { origin, severity } of output.diagnostics) {
    const object = output.origins[origin]?.object
    if (!object) continue
    const counts = findings.get(object) ?? {}
    counts[severity] = (counts[severity] ?? 0) + 1
    findings.set(object, counts)
  }
  return findings
}
