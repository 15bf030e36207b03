// What is wrong with the resources: a list of buttons that lead to the place.

import { count, make, spans } from '../dom'
import type { Diagnostic, Output, Place } from '../engine/dto'

const ICONS: Record<Diagnostic['severity'], string> = { error: '✕', warning: '▲', notice: '●' }

export function showFindings(
  title: HTMLElement,
  body: HTMLElement,
  output: Output,
  goTo: (place: Place) => void,
): void {
  const { diagnostics, origins } = output
  title.textContent = diagnostics.length === 0 ? 'Findings' : `Findings (${diagnostics.length})`
  if (diagnostics.length === 0) {
    body.replaceChildren(make('p', { className: 'empty' }, 'Nothing to complain about.'))
    return
  }
  const items = diagnostics.map(it => {
    const origin = origins[it.origin]
    const place = origin?.place
    const head = make(
      'span',
      { className: 'finding-head' },
      make('span', { className: `severity ${it.severity}` }, `${ICONS[it.severity]} ${it.severity}`),
      make('code', { title: it.doc }, it.code),
      make('span', { className: 'where' }, place ? `line ${place.line}` : ''),
    )
    const message = make('span', { className: 'message' }, ...spans(it.message))
    const outcome = make('span', { className: 'outcome' }, ...spans(it.outcome))
    const help = make('span', { className: 'help' }, ...(it.help ? ['Help: ', ...spans(it.help)] : []))
    const from = make('span', { className: 'origin' }, place ? '' : (origin?.label ?? ''))
    const content = [head, message, outcome, help, from].filter(part => part.textContent !== '')
    const entry = place
      ? make('button', { type: 'button', className: 'finding', onclick: () => goTo(place) }, ...content)
      : make('div', { className: 'finding' }, ...content)
    return make('li', {}, entry)
  })
  body.replaceChildren(make('ul', { className: 'list' }, ...items))
}

/** `2 errors, 1 warning`, or nothing. */
export function summary(output: Output): string {
  const severities = ['error', 'warning', 'notice'] as const
  return severities
    .map(severity => [output.diagnostics.filter(it => it.severity === severity).length, severity] as const)
    .filter(([number]) => number > 0)
    .map(([number, severity]) => count(number, severity))
    .join(', ')
}
