// What is wrong with the resources: a list of buttons that lead to the place.

import { count, make, spans } from '../dom'
import type { Diagnostic, Fix, Output, Place } from '../engine/dto'

const ICONS: Record<Diagnostic['severity'], string> = { error: '✕', warning: '▲', notice: '●' }

/** So many findings are listed one by one. */
const LISTED = 300

export interface Ways {
  toPlace(place: Place): void
  /** Makes a change; absent while the findings are about an older text. */
  fix: ((fix: Fix) => void) | null
  useConfigMap(name: string): void
}

export function showFindings(title: HTMLElement, body: HTMLElement, output: Output, ways: Ways): void {
  const { diagnostics } = output
  title.textContent = diagnostics.length === 0 ? 'Findings' : `Findings (${diagnostics.length})`
  if (diagnostics.length === 0) {
    body.replaceChildren(make('p', { className: 'empty' }, 'Nothing to complain about.'))
    return
  }
  const items = diagnostics.slice(0, LISTED).map(it => item(it, output, ways))
  const rest = diagnostics.length - items.length
  body.replaceChildren(
    make('ul', { className: 'list' }, ...items),
    ...(rest > 0 ? [make('p', { className: 'lead' }, `and ${rest} more.`)] : []),
  )
}

function item(it: Diagnostic, output: Output, ways: Ways): HTMLLIElement {
  const origin = output.origins[it.origin]
  const place = origin?.place
  const head = make(
    'span',
    { className: 'finding-head' },
    make('span', { className: `severity ${it.severity}` }, `${ICONS[it.severity]} ${it.severity}`),
    make('code', { title: it.doc }, it.code),
    make('span', { className: 'where' }, place ? whereOf(place, output) : ''),
  )
  const message = make('span', { className: 'message' }, ...spans(it.message))
  const outcome = make('span', { className: 'outcome' }, ...spans(it.outcome))
  const help = make('span', { className: 'help' }, ...(it.help ? ['Help: ', ...spans(it.help)] : []))
  const from = make('span', { className: 'origin' }, place ? '' : (origin?.label ?? ''))
  const content = [head, message, outcome, help, from].filter(part => part.textContent !== '')
  const entry = place
    ? make('button', { type: 'button', className: 'finding', onclick: () => ways.toPlace(place) }, ...content)
    : make('div', { className: 'finding' }, ...content)
  return make('li', {}, entry, ...fixOf(it, output, ways))
}

/** A button that mends it, where that is known. */
function fixOf(it: Diagnostic, output: Output, ways: Ways): HTMLElement[] {
  const button = (label: string, onclick: () => void) =>
    make('button', { type: 'button', className: 'fix', onclick }, ...spans(label))
  const { fix } = it
  const change = ways.fix
  if (fix && change) return [button(fix.label, () => change(fix))]
  const name = /^ConfigMap (.+)$/.exec(output.origins[it.origin]?.object ?? '')?.[1]
  if (it.code === 'unused-config-map' && name) {
    return [button('Take it as the global ConfigMap', () => ways.useConfigMap(name))]
  }
  return []
}

/** The line, with the file where there are several. */
export function whereOf(place: Place, output: Output): string {
  const several = new Set(output.objects.flatMap(it => it.place?.file ?? [])).size > 1
  return several ? `${place.file}, line ${place.line}` : `line ${place.line}`
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
