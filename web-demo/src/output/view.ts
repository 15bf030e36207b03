// The result: one file of it, read-only.

import { defaultKeymap } from '@codemirror/commands'
import { diagnosticCount, lintGutter, setDiagnostics, type Diagnostic as Marker } from '@codemirror/lint'
import { Compartment, EditorState } from '@codemirror/state'
import { EditorView, drawSelection, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view'

import { marks } from '../editor/marks'
import { theme } from '../editor/theme'
import type { Diagnostic, Output, OutputFile } from '../engine/dto'
import { haproxy } from './language'

const language = new Compartment()
const name = new Compartment()

export function outputView(parent: HTMLElement, lookedAt: (line: number) => void): EditorView {
  return new EditorView({
    parent,
    state: EditorState.create({
      extensions: [
        EditorState.readOnly.of(true),
        lineNumbers(),
        lintGutter(),
        highlightActiveLine(),
        drawSelection(),
        language.of([]),
        name.of([]),
        marks,
        theme,
        keymap.of(defaultKeymap),
        EditorView.contentAttributes.of({ tabindex: '0', spellcheck: 'false' }),
        EditorView.updateListener.of(update => {
          // A new result moves the cursor as well, but then nobody looks anywhere.
          const byHand = update.selectionSet && !update.docChanged
          if (byHand || (update.focusChanged && update.view.hasFocus)) {
            const { doc, selection } = update.state
            lookedAt(doc.lineAt(selection.main.head).number)
          }
        }),
      ],
    }),
  })
}

/** Shows a file; of the same file only the changed middle is replaced, so that the view stays. */
export function showFile(view: EditorView, file: OutputFile, isSame: boolean): void {
  const old = view.state.doc.toString()
  const { from, to, insert } = isSame
    ? changedMiddle(old, file.content)
    : { from: 0, to: old.length, insert: file.content }
  const effects = isSame
    ? []
    : [
        language.reconfigure(file.role === 'config' ? haproxy : []),
        name.reconfigure(
          EditorView.contentAttributes.of({ 'aria-label': `${baseName(file.path)}, read-only` }),
        ),
        EditorView.scrollIntoView(0),
      ]
  if (from === to && insert === '' && effects.length === 0) return
  view.dispatch({
    changes: { from, to, insert },
    effects,
    ...(isSame ? {} : { selection: { anchor: 0 } }),
  })
}

/** So many lines are marked; who has more findings reads the list. */
const MARKED = 300

/** Marks the lines of a file that were made by what the engine complains about. */
export function showFindingsOf(view: EditorView, output: Output, file: OutputFile): void {
  const { doc } = view.state
  const byOrigin = new Map<number, Diagnostic[]>()
  for (const it of output.diagnostics) byOrigin.set(it.origin, [...(byOrigin.get(it.origin) ?? []), it])
  const markers: Marker[] = []
  if (byOrigin.size > 0) {
    for (const [index, made] of file.lines.entries()) {
      if (markers.length >= MARKED || index >= doc.lines) break
      const { from, to } = doc.line(index + 1)
      if (from === to) continue
      for (const origin of made) {
        for (const it of byOrigin.get(origin) ?? []) {
          markers.push({
            from,
            to,
            severity: it.severity === 'notice' ? 'info' : it.severity,
            message: `${output.origins[origin]?.label ?? ''}: ${it.message}; ${it.outcome}`,
            source: it.code,
          })
        }
      }
    }
  }
  if (markers.length > 0 || diagnosticCount(view.state) > 0) view.dispatch(setDiagnostics(view.state, markers))
}

/** Scrolls to a line, counted from 1, and leaves the cursor where it is. */
export function scrollToLine(view: EditorView, number: number): void {
  const line = view.state.doc.line(Math.min(Math.max(number, 1), view.state.doc.lines))
  view.dispatch({ effects: EditorView.scrollIntoView(line.from, { y: 'start', yMargin: 8 }) })
}

/** Puts the cursor on a line, counted from 1. */
export function goToLine(view: EditorView, number: number): void {
  const line = view.state.doc.line(Math.min(Math.max(number, 1), view.state.doc.lines))
  view.dispatch({
    selection: { anchor: line.from },
    effects: EditorView.scrollIntoView(line.from, { y: 'start', yMargin: 24 }),
  })
  view.focus()
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

function changedMiddle(old: string, fresh: string): { from: number; to: number; insert: string } {
  const shorter = Math.min(old.length, fresh.length)
  let head = 0
  while (head < shorter && old[head] === fresh[head]) head++
  let tail = 0
  while (tail < shorter - head && old[old.length - 1 - tail] === fresh[fresh.length - 1 - tail]) tail++
  return { from: head, to: old.length - tail, insert: fresh.slice(head, fresh.length - tail) }
}
