// Where a line of YAML stands: the kind of its object, and the fields around it.

import type { Text } from '@codemirror/state'

export interface Where {
  /** The kind of the object, if it says one. */
  kind: string | null
  /** The fields that enclose the line, the outermost first. */
  path: string[]
}

const ENTRY = /^(\s*)((?:- +)*)([\w./-]+|"[^"]*"):(?:\s|$)/

/** Looks upwards from a line, which counts as if something began at `column` of it. */
export function whereIs(doc: Text, number: number, column: number): Where {
  const path: string[] = []
  let limit = limitOf(doc.line(number).text, column)
  for (let above = number - 1; above >= 1 && limit > 0; above--) {
    const { text } = doc.line(above)
    if (text.startsWith('---')) break
    const [, blank = '', dashes = '', key] = ENTRY.exec(text) ?? []
    if (key === undefined) continue
    const indent = blank.length + dashes.length
    if (indent < limit) path.unshift(key.replaceAll('"', ''))
    // The field in which a list stands may be as far in as the dashes of its items.
    if (indent <= limit) limit = dashes ? blank.length + 1 : Math.min(limit, indent)
  }
  return { kind: kindOf(doc, number), path }
}

function limitOf(text: string, column: number): number {
  const [, blank = '', dashes = ''] = /^(\s*)((?:- +)*)/.exec(text.slice(0, column)) ?? []
  return dashes ? blank.length + 1 : column
}

function kindOf(doc: Text, number: number): string | null {
  for (const step of [-1, 1]) {
    const first = step < 0 ? number : number + 1
    for (let line = first; line >= 1 && line <= doc.lines; line += step) {
      const { text } = doc.line(line)
      if (text.startsWith('---')) break
      const kind = /^kind:\s*(\w+)\s*$/.exec(text)?.[1]
      if (kind) return kind
    }
  }
  return null
}
