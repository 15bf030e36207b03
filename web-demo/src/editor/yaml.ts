// The editor of the resources: one view, and for each file a state with its own history.

import { defaultKeymap, history, historyKeymap, indentLess, indentMore } from '@codemirror/commands'
import { yaml } from '@codemirror/lang-yaml'
import { bracketMatching, indentOnInput, indentUnit } from '@codemirror/language'
import { diagnosticCount, lintGutter, nextDiagnostic, setDiagnostics, type Diagnostic as Marker } from '@codemirror/lint'
import { EditorState, type Extension } from '@codemirror/state'
import {
  EditorView,
  drawSelection,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
} from '@codemirror/view'

import { make, spans } from '../dom'
import type { Diagnostic, Fix, Manifest, Output } from '../engine/dto'
import { keyHelp } from './keys'
import { marks } from './marks'
import { schemaHelp } from './schema'
import { theme } from './theme'

export interface Handlers {
  edited(name: string, text: string): void
  lookedAt(name: string, offset: number): void
  left(): void
}

/** More than this is not underlined: who has thousands of findings reads the list. */
const UNDERLINED = 500

/** Longer texts have no colours: to parse them again and again would cost more than they help. */
const COLOURED = 1_500_000

export class ResourceEditor {
  readonly view: EditorView
  #name = ''
  /** The states of the files that are not shown. */
  readonly #others = new Map<string, EditorState>()
  readonly #extensions: Extension

  constructor(parent: HTMLElement, file: Manifest, handlers: Handlers) {
    this.#extensions = [
      lineNumbers(),
      lintGutter(),
      highlightActiveLine(),
      highlightActiveLineGutter(),
      history(),
      drawSelection(),
      bracketMatching(),
      indentOnInput(),
      indentUnit.of('  '),
      keyHelp,
      schemaHelp,
      marks,
      theme,
      // Tab leaves the editor; Ctrl-[ and Ctrl-] indent.
      keymap.of([
        { key: 'F8', run: nextDiagnostic },
        { key: 'Mod-]', run: indentMore },
        { key: 'Mod-[', run: indentLess },
        ...defaultKeymap,
        ...historyKeymap,
      ]),
      EditorView.contentAttributes.of({
        'aria-label': 'Kubernetes resources, YAML',
        'aria-multiline': 'true',
        tabindex: '0',
        spellcheck: 'false',
        autocapitalize: 'off',
        autocorrect: 'off',
      }),
      EditorView.updateListener.of(update => {
        if (update.docChanged) handlers.edited(this.#name, update.state.doc.toString())
        if (update.selectionSet || (update.focusChanged && update.view.hasFocus)) {
          handlers.lookedAt(this.#name, update.state.selection.main.head)
        }
        if (update.focusChanged && !update.view.hasFocus) handlers.left()
      }),
    ]
    this.#name = file.name
    this.view = new EditorView({ parent, state: this.#fresh(file.text) })
  }

  /** Shows a file; a text that differs from what was edited here is a new one. */
  show({ name, text }: Manifest): void {
    if (name === this.#name && this.view.state.doc.toString() === text) return
    if (name !== this.#name) this.#others.set(this.#name, this.view.state)
    const kept = this.#others.get(name)
    this.#others.delete(name)
    this.#name = name
    this.view.setState(kept && kept.doc.toString() === text ? kept : this.#fresh(text))
  }

  /** A file has another name. */
  rename(name: string, to: string): void {
    if (name === this.#name) this.#name = to
    const kept = this.#others.get(name)
    if (!kept) return
    this.#others.delete(name)
    this.#others.set(to, kept)
  }

  /** Forgets what was undone in files, when others are opened. */
  forget(): void {
    this.#others.clear()
  }

  /** Puts the cursor at a part of the file that is shown. */
  goTo(from: number, to: number): void {
    const end = this.view.state.doc.length
    this.view.dispatch({
      selection: { anchor: Math.min(from, end), head: Math.min(to, end) },
      effects: EditorView.scrollIntoView(Math.min(from, end), { y: 'center' }),
    })
    this.view.focus()
  }

  /** Makes a change that a finding proposes. The finding is about this very text. */
  apply({ from, to, insert }: Fix): void {
    if (to > this.view.state.doc.length) return
    this.view.dispatch({
      changes: { from, to, insert },
      selection: { anchor: from, head: from + insert.length },
      effects: EditorView.scrollIntoView(from, { y: 'center' }),
      userEvent: 'input.fix',
    })
    this.view.focus()
  }

  /** Underlines what the engine complains about. */
  showFindings(output: Output): void {
    const { doc } = this.view.state
    const markers = output.diagnostics.flatMap((it): Marker[] => {
      const place = output.origins[it.origin]?.place
      if (!place || place.file !== this.#name || place.to > doc.length) return []
      // A whole object is underlined only where it begins.
      const from = place.from
      const to = Math.min(place.to, Math.max(from, doc.lineAt(from).to))
      const { fix } = it
      return [
        {
          from,
          to,
          severity: it.severity === 'notice' ? 'info' : it.severity,
          message: `${it.message}; ${it.outcome}${it.help ? `\n${it.help}` : ''}`,
          renderMessage: () => explained(it),
          source: it.code,
          actions: fix ? [{ name: plain(fix.label), apply: () => this.apply(fix) }] : [],
        },
      ]
    })
    const { state } = this.view
    if (markers.length === 0 && diagnosticCount(state) === 0) return
    this.view.dispatch(setDiagnostics(state, markers.slice(0, UNDERLINED)))
  }

  #fresh(text: string): EditorState {
    const language = text.length > COLOURED ? [] : yaml()
    return EditorState.create({ doc: text, extensions: [this.#extensions, language] })
  }
}

/** A finding with its documentation. */
function explained(it: Diagnostic): HTMLElement {
  const [summary = ''] = it.doc.split('\n\n')
  return make(
    'div',
    { className: 'cm-finding' },
    make('p', { className: 'message' }, ...spans(it.message)),
    make('p', { className: 'outcome' }, ...spans(it.outcome)),
    ...(it.help ? [make('p', { className: 'help' }, ...spans(it.help))] : []),
    make('p', { className: 'doc' }, ...spans(summary.replaceAll('\n', ' '))),
  )
}

function plain(text: string): string {
  return text.replaceAll('`', '')
}
