// A list of tabs: one stop for the Tab key, arrows between them.

import { make } from './dom'

export interface Tab {
  /** What it is known by. */
  key: string
  label: string
  title?: string
  selected: boolean
  /** A class of its own, if it has one. */
  className?: string
}

/** What was drawn last, by its list. */
const drawn = new WeakMap<HTMLElement, string>()

/** Draws the tabs into a `role=tablist`; `panel` is what they choose the content of. */
export function showTabs(
  list: HTMLElement,
  panel: HTMLElement,
  tabs: readonly Tab[],
  choose: (key: string) => void,
): void {
  // They are asked for after each edit, and seldom others.
  const wanted = JSON.stringify(tabs)
  if (drawn.get(list) === wanted) return
  drawn.set(list, wanted)
  const hadFocus = list.contains(document.activeElement)
  const buttons = tabs.map((tab, index) => {
    const button = make('button', {
      type: 'button',
      role: 'tab',
      id: `${list.id}-${index}`,
      className: tab.className ?? '',
      textContent: tab.label,
      title: tab.title ?? '',
      tabIndex: tab.selected ? 0 : -1,
      ariaSelected: String(tab.selected),
      onclick: () => choose(tab.key),
    })
    button.setAttribute('aria-controls', panel.id)
    if (tab.selected) panel.setAttribute('aria-labelledby', button.id)
    return button
  })
  list.replaceChildren(...buttons)
  list.onkeydown = event => {
    if (event.altKey || event.ctrlKey || event.metaKey) return
    const current = tabs.findIndex(it => it.selected)
    const step = { ArrowRight: current + 1, ArrowLeft: current - 1, Home: 0, End: -1 }[event.key]
    const tab = step === undefined ? undefined : tabs.at(step % tabs.length)
    if (!tab) return
    event.preventDefault()
    choose(tab.key)
  }
  const selected = buttons[tabs.findIndex(it => it.selected)]
  if (hadFocus) selected?.focus()
  // Not `scrollIntoView`: it would move the page as well, which is narrow on a phone.
  if (selected) {
    const { offsetLeft, offsetWidth } = selected
    if (offsetLeft < list.scrollLeft) list.scrollLeft = offsetLeft
    else if (offsetLeft + offsetWidth > list.scrollLeft + list.clientWidth) {
      list.scrollLeft = offsetLeft + offsetWidth - list.clientWidth
    }
  }
}
