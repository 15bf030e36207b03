// Who made the line under the cursor, or which lines the field under the cursor made.

import { count, make, spans } from '../dom'
import type { Output, Place } from '../engine/dto'
import { baseName } from '../output/view'
import type { Line, Trace } from '../provenance'
import type { Focus } from '../state'
import { whereOf } from './findings'

export interface Ways {
  toPlace(place: Place): void
  toLine(line: Line): void
}

/** So many lines are listed one by one. */
const LISTED = 40

export function showTrace(
  body: HTMLElement,
  output: Output,
  focus: Focus,
  { object, origins, lines }: Trace,
  ways: Ways,
): void {
  if (origins.length === 0 && object === null) {
    body.replaceChildren(make('p', { className: 'empty' }, nothing(focus)))
    return
  }
  const named = object === null ? origins : []
  const who = named.map(index => {
    const origin = output.origins[index]
    if (!origin) return ''
    const words = [
      make('span', { className: 'object' }, ...spans(origin.object ?? origin.label)),
      ...(origin.place ? [make('span', { className: 'where' }, whereOf(origin.place, output))] : []),
      ...(origin.field ? [make('code', { className: 'field-name' }, origin.field)] : []),
    ]
    const { place } = origin
    return make(
      'li',
      {},
      place
        ? make('button', { type: 'button', className: 'origin-row', onclick: () => ways.toPlace(place) }, ...words)
        : make('div', { className: 'origin-row' }, ...words),
    )
  })
  if (focus.side === 'configuration') {
    const head = lines.flatMap(it => [
      `Line ${it.number} `,
      ...fileOf(it),
      make('code', {}, it.text),
      ' was made by',
    ])
    body.replaceChildren(make('p', { className: 'lead' }, ...head), make('ul', { className: 'list' }, ...who))
    return
  }
  const made = lines.slice(0, LISTED).map(it =>
    make(
      'li',
      {},
      make(
        'button',
        { type: 'button', className: 'line-row', onclick: () => ways.toLine(it) },
        make('span', { className: 'number' }, String(it.number)),
        make('code', {}, it.text),
        ...fileOf(it),
      ),
    ),
  )
  const rest = lines.length - made.length
  const whole = object === null ? [] : [make('span', { className: 'object' }, object), ' as a whole ']
  const verdict = lines.length === 0 ? 'made no line.' : `made ${count(lines.length, 'line')}:`
  body.replaceChildren(
    make('ul', { className: 'list' }, ...who),
    make('p', { className: 'lead' }, ...whole, verdict),
    make('ul', { className: 'list' }, ...made),
    ...(rest > 0 ? [make('p', { className: 'lead' }, `and ${rest} more.`)] : []),
  )
}

/** The file of a line, unless it is the main configuration. */
function fileOf({ file }: Line): HTMLElement[] {
  return file.role === 'config' ? [] : [make('span', { className: 'where' }, `${baseName(file.path)} `)]
}

function nothing(focus: Focus): string {
  return focus.side === 'configuration'
    ? 'There is nothing on this line.'
    : focus.side === 'request'
      ? 'No object has a part in this.'
      : 'Put the cursor on a field to see the lines it made, or on a line of the configuration to see which field made it.'
}
