// What an edit would change for a HAProxy that runs what was there before, and at what cost.

import { count, make, spans } from '../dom'
import type { FileDifference, Output, Place } from '../engine/dto'
import { baseName } from '../output/view'

export interface Ways {
  toPlace(place: Place): void
  /** Leads to a line of a file, counted from 1. */
  toNumber(path: string, number: number): void
  pin(): void
}

/** So many commands or reasons, and lines of a difference, are listed one by one. */
const LISTED = 200
const LINES = 600

export function showPlan(body: HTMLElement, output: Output, ways: Ways): void {
  const pin = make('button', { type: 'button', id: 'apply', onclick: ways.pin }, 'Pin this state')
  pin.title = 'From now on, edits are compared with what is there now'
  const different = differences(output, ways)
  const { plan } = output
  switch (plan.kind) {
    case 'start':
      body.replaceChildren(make('p', { className: 'empty' }, 'HAProxy would start with this configuration.'))
      return
    case 'nothing':
      body.replaceChildren(
        make(
          'p',
          { className: 'empty' },
          'Nothing to do: this is what runs. After an edit, this panel says whether HAProxy can be changed while it runs, or has to reload, and why.',
        ),
        ...different,
      )
      return
    case 'update': {
      const commands = plan.commands.slice(0, LISTED)
      body.replaceChildren(
        make('p', { className: 'verdict good' }, `No reload: ${count(plan.commands.length, 'command')} on the running process`),
        make('ul', { className: 'list' }, ...commands.map(it => make('li', {}, make('code', { className: 'command' }, it)))),
        ...more(plan.commands.length - commands.length),
        pin,
        ...different,
      )
      return
    }
    case 'reload': {
      const shown = plan.reasons.slice(0, LISTED)
      const reasons = shown.map(reason => {
        const origins = reason.origins.slice(0, 20).map(index => {
          const origin = output.origins[index]
          const place = origin?.place
          const label = origin?.label ?? ''
          return place
            ? make('button', { type: 'button', className: 'origin-row', onclick: () => ways.toPlace(place) }, label)
            : make('div', { className: 'origin-row' }, label)
        })
        return make('li', {}, make('span', { className: 'reason' }, ...spans(reason.label)), ...origins)
      })
      body.replaceChildren(
        make('p', { className: 'verdict' }, `Reload, for ${count(plan.reasons.length, 'reason')}`),
        make('ul', { className: 'list' }, ...reasons),
        ...more(plan.reasons.length - shown.length),
        pin,
        ...different,
      )
    }
  }
}

function more(rest: number): HTMLElement[] {
  return rest > 0 ? [make('p', { className: 'lead' }, `and ${rest} more.`)] : []
}

/** The lines that differ, by file and section. */
function differences(output: Output, ways: Ways): HTMLElement[] {
  const files = output.difference ?? []
  if (files.length === 0) return []
  let left = LINES
  const parts = files.map(file => fileOf(file))
  return [make('h3', {}, `${count(files.length, 'file')} changed`), ...parts, ...more(left < 0 ? -left : 0)]

  function fileOf(file: FileDifference): HTMLElement {
    const head = make('p', { className: 'diff-file' }, make('code', {}, baseName(file.path)), ` ${file.change}`)
    if (file.redacted) head.append(', not shown because of its private key')
    const sections = file.sections.map(section =>
      make(
        'div',
        { className: 'diff-section' },
        ...(section.name ? [make('p', { className: 'diff-head' }, section.name)] : []),
        ...section.hunks.map(hunk => {
          const lines = hunk.lines.filter(() => left-- > 0)
          return make('div', { className: 'hunk' }, ...lines.map(it => lineOf(file.path, it)))
        }),
      ),
    )
    return make('div', {}, head, ...sections)
  }

  function lineOf(path: string, { change, number, text }: FileDifference['sections'][0]['hunks'][0]['lines'][0]): HTMLElement {
    const sign = change === 'added' ? '+' : change === 'removed' ? '−' : ' '
    const content = [make('span', { className: 'sign' }, sign), make('code', {}, text)]
    const className = `diff-line ${change ?? ''}`
    return number !== null && change === 'added'
      ? make('button', { type: 'button', className, onclick: () => ways.toNumber(path, number) }, ...content)
      : make('div', { className }, ...content)
  }
}
