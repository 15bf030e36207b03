// The files of the resources: tabs, and what can be done with them.

import { byId } from '../dom'
import type { Manifest } from '../engine/dto'
import { showTabs } from '../tablist'

export interface Ways {
  open(name: string): void
  add(files: Manifest[]): void
  rename(name: string, to: string): void
  remove(name: string): void
  say(text: string): void
}

/** More is no manifest. */
const LARGEST = 64 << 20

/** Draws the tabs. */
export function showFiles(files: readonly Manifest[], active: string, ways: Ways): void {
  const tabs = files.map(({ name }) => ({ key: name, label: name, selected: name === active }))
  showTabs(byId('texts'), byId('yaml'), tabs, ways.open)
  byId('remove-file').hidden = files.length < 2
}

/** Gives the buttons their work; `active` says which file is in the editor. */
export function mountFiles(active: () => string, ways: Ways): void {
  const input = byId<HTMLInputElement>('file-name')
  const form = byId('rename')
  const renameButton = byId('rename-file')
  const close = () => {
    form.hidden = true
    renameButton.focus()
  }
  const rename = () => {
    form.hidden = false
    input.value = active()
    input.select()
    input.focus()
  }
  renameButton.onclick = rename
  byId('texts').ondblclick = rename
  input.onkeydown = event => {
    if (event.key === 'Escape') close()
    if (event.key !== 'Enter') return
    event.preventDefault()
    ways.rename(active(), input.value)
    close()
  }
  input.onblur = () => {
    form.hidden = true
  }
  byId('new-file').onclick = () => ways.add([{ name: 'new.yaml', text: '' }])
  byId('remove-file').onclick = () => ways.remove(active())

  const chooser = byId<HTMLInputElement>('chooser')
  byId('open-files').onclick = () => chooser.click()
  chooser.onchange = () => {
    void read(chooser.files, ways)
    chooser.value = ''
  }
  const pane = byId('resources')
  pane.ondragover = event => {
    if (event.dataTransfer?.types.includes('Files')) event.preventDefault()
  }
  pane.ondrop = event => {
    const files = event.dataTransfer?.files
    if (!files || files.length === 0) return
    event.preventDefault()
    void read(files, ways)
  }
}

async function read(list: FileList | null, ways: Ways): Promise<void> {
  const files = [...(list ?? [])]
  const tooLarge = files.find(it => it.size > LARGEST)
  if (tooLarge) return ways.say(`${tooLarge.name} has more than 64 MB, and is not opened.`)
  const texts = await Promise.all(files.map(async it => ({ name: it.name, text: await it.text() })))
  if (texts.length > 0) ways.add(texts)
}
