// One tab for each file: one stop for the Tab key, arrows between them.

import { make } from '../dom'
import type { OutputFile } from '../engine/dto'
import { baseName } from './view'

const ROLES: Record<OutputFile['role'], string> = {
  config: 'main configuration',
  map: 'map',
  checks: 'map of what is asked of requests',
  'regex-map': 'map of regular expressions',
  'certificate-list': 'list of certificates',
  certificate: 'certificate, its key is not shown',
  authorities: 'authorities of certificates',
  revocations: 'certificates that authorities revoked',
  'dh-parameters': 'parameters of Diffie-Hellman',
  list: 'list',
  response: 'response',
  lua: 'Lua script',
  agent: 'how agents are asked',
}

export function showTabs(
  list: HTMLElement,
  panel: HTMLElement,
  files: OutputFile[],
  shown: string | null,
  choose: (path: string) => void,
): void {
  const hadFocus = list.contains(document.activeElement)
  const tabs = files.map((file, index) => {
    const selected = file.path === shown
    const tab = make('button', {
      type: 'button',
      role: 'tab',
      id: `file-${index}`,
      textContent: baseName(file.path),
      title: `${file.path} (${ROLES[file.role]})`,
      tabIndex: selected ? 0 : -1,
      ariaSelected: String(selected),
      onclick: () => choose(file.path),
    })
    tab.setAttribute('aria-controls', panel.id)
    if (selected) panel.setAttribute('aria-labelledby', tab.id)
    return tab
  })
  list.replaceChildren(...tabs)
  list.onkeydown = event => {
    const current = tabs.findIndex(it => it.tabIndex === 0)
    const step = { ArrowRight: current + 1, ArrowLeft: current - 1, Home: 0, End: -1 }[event.key]
    const file = step === undefined ? undefined : files.at(step % files.length)
    if (!file) return
    event.preventDefault()
    choose(file.path)
  }
  const selected = tabs.find(it => it.tabIndex === 0)
  if (hadFocus) selected?.focus()
  selected?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
}
