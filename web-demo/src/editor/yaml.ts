// The editor of the resources.

import { defaultKeymap, history, historyKeymap, indentLess, indentMore } from '@codemirror/commands'
import { yaml } from '@codemirror/lang-yaml'
import { bracketMatching, indentOnInput, indentUnit } from '@codemirror/language'
import { lintGutter, nextDiagnostic, setDiagnostics, type Diagnostic as Marker } from '@codemirror/lint'
import { EditorState } from '@codemirror/state'
import {
  EditorView,
  drawSelection,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
} from '@codemirror/view'

import type { Output } from '../engine/dto'
import { keyHelp } from './keys'
import { marks } from './marks'
import { theme } from './theme'

export interface Handlers {
  edited(text: string): void
  lookedAt(offset: number): void
  left(): void
}

export function yamlEditor(parent: HTMLElement, text: string, handlers: Handlers): EditorView {
  return new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        lintGutter(),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        history(),
        drawSelection(),
        bracketMatching(),
        indentOnInput(),
        indentUnit.of('  '),
        yaml(),
        keyHelp,
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
          if (update.docChanged) handlers.edited(update.state.doc.toString())
          if (update.selectionSet || (update.focusChanged && update.view.hasFocus)) {
            handlers.lookedAt(update.state.selection.main.head)
          }
          if (update.focusChanged && !update.view.hasFocus) handlers.left()
        }),
      ],
    }),
  })
}

/** Replaces everything, as opening another text does. */
export function open(view: EditorView, text: string): void {
  view.dispatch({
    changes: { from: 0, to: view.state.doc.length, insert: text },
    selection: { anchor: 0 },
    scrollIntoView: true,
  })
}

/** Puts the cursor at a part of the text. */
export function goTo(view: EditorView, from: number, to: number): void {
  const end = view.state.doc.length
  view.dispatch({
    selection: { anchor: Math.min(from, end), head: Math.min(to, end) },
    effects: EditorView.scrollIntoView(Math.min(from, end), { y: 'center' }),
  })
  view.focus()
}

/** Underlines what the engine complains about. */
export function showFindings(view: EditorView, output: Output): void {
  const end = view.state.doc.length
  const markers = output.diagnostics.flatMap((it): Marker[] => {
    const place = output.origins[it.origin]?.place
    if (!place || place.to > end) return []
    // A whole object is underlined only where it begins.
    const from = place.from
    const to = Math.min(place.to, Math.max(from, view.state.doc.lineAt(from).to))
    return [
      {
        from,
        to,
        severity: it.severity === 'notice' ? 'info' : it.severity,
        message: `${it.message}; ${it.outcome}${it.help ? `\n${it.help}` : ''}`,
        source: it.code,
      },
    ]
  })
  view.dispatch(setDiagnostics(view.state, markers))
}
