// Parts of a text, or whole lines of it, that light up because they belong to what is looked at.

import { StateEffect, StateField } from '@codemirror/state'
import { Decoration, EditorView, type DecorationSet } from '@codemirror/view'

interface Span {
  from: number
  to: number
}

const setMarks = StateEffect.define<DecorationSet>()

/** What an editor needs to show marks. */
export const marks = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(set, transaction) {
    for (const effect of transaction.effects) if (effect.is(setMarks)) return effect.value
    return set.map(transaction.changes)
  },
  provide: field => EditorView.decorations.from(field),
})

const line = Decoration.line({ class: 'cm-traced' })
const part = Decoration.mark({ class: 'cm-traced-part' })

/** Lights up whole lines, counted from 1, and no others. */
export function markLines(view: EditorView, lines: number[]): void {
  const { doc } = view.state
  const inside = lines.filter(it => it >= 1 && it <= doc.lines)
  const isOther = show(view, Decoration.set(inside.map(it => line.range(doc.line(it).from)), true))
  if (isOther && inside.length > 0) reveal(view, inside.map(it => doc.line(it)))
}

/** Lights up parts, and no others. */
export function markParts(view: EditorView, parts: Span[]): void {
  const end = view.state.doc.length
  const inside = parts.filter(it => it.from < it.to && it.to <= end)
  const isOther = show(view, Decoration.set(inside.map(it => part.range(it.from, it.to)), true))
  if (isOther && inside.length > 0) reveal(view, inside)
}

/** Whether anything else is lit up now: to draw the same again would have the browser lay out the page once
 *  more, after each edit. */
function show(view: EditorView, set: DecorationSet): boolean {
  if (isSame(view.state.field(marks), set)) return false
  view.dispatch({ effects: setMarks.of(set) })
  return true
}

/** Whether the same parts light up. `RangeSet.eq` takes sets for equal of which one has more at its end. */
function isSame(a: DecorationSet, b: DecorationSet): boolean {
  if (a.size !== b.size) return false
  const left = a.iter()
  const right = b.iter()
  for (; left.value && right.value; left.next(), right.next()) {
    if (left.from !== right.from || left.to !== right.to) return false
  }
  return true
}

/** Scrolls to the first part, unless one of them can be seen or the reader is here. */
function reveal(view: EditorView, parts: Span[]): void {
  if (view.hasFocus) return
  const { top, height } = view.scrollDOM.getBoundingClientRect()
  const visible = parts.some(({ from }) => {
    const block = view.lineBlockAt(from)
    const y = view.documentTop + block.top - top
    return y >= 0 && y + Math.min(block.height, height) <= height
  })
  const first = parts[0]
  if (visible || !first) return
  view.dispatch({ effects: EditorView.scrollIntoView(first.from, { y: 'center' }) })
}
