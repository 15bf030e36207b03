// The model as a tree: what was understood of the resources, before it was written as text.

import { make, spans } from '../dom'
import type { ModelNode, Output, Place } from '../engine/dto'

/** So many parts of one thing are listed one by one. */
const LISTED = 300

/** Which parts are open, by their path, so that an edit closes none. */
const opened = new Set<string>(['/frontends', '/hosts'])

export function showModel(
  body: HTMLElement,
  output: Output,
  ways: { toPlace(place: Place): void },
): void {
  const roots = output.model
  if (!roots) {
    body.replaceChildren(make('p', { className: 'empty' }, 'The model is being made…'))
    return
  }
  body.replaceChildren(make('ul', { className: 'tree' }, ...branches(roots, '')))

  function branches(nodes: ModelNode[], above: string): HTMLLIElement[] {
    const shown = nodes.slice(0, LISTED).map(it => make('li', {}, part(it, `${above}/${it.label}`)))
    const rest = nodes.length - shown.length
    return rest > 0 ? [...shown, make('li', { className: 'lead' }, `and ${rest} more.`)] : shown
  }

  function part(node: ModelNode, path: string): HTMLElement {
    const words = [
      make('span', { className: 'node' }, node.label),
      ...(node.detail === '' ? [] : [make('code', {}, node.detail)]),
    ]
    if (node.children.length === 0) return make('div', { className: 'leaf' }, ...words, ...origin(node))
    const list = make('ul', {})
    const element = make('details', { open: opened.has(path) }, make('summary', {}, ...words), list)
    const fill = () => {
      if (list.childElementCount === 0) list.append(...branches(node.children, path))
    }
    if (element.open) fill()
    element.ontoggle = () => {
      if (element.open) {
        fill()
        opened.add(path)
      } else opened.delete(path)
    }
    // Beside it: a control has no room for another one.
    return make('div', { className: 'branch' }, element, ...origin(node))
  }

  /** Who said so, as a button where that stands in the text. */
  function origin(node: ModelNode): HTMLElement[] {
    const from = node.origin === null ? undefined : output.origins[node.origin]
    if (!from) return []
    const { place, label } = from
    return place
      ? [make('button', { type: 'button', className: 'from', title: label, onclick: () => ways.toPlace(place) }, `line ${place.line}`)]
      : [make('span', { className: 'from' }, ...spans(label))]
  }
}
