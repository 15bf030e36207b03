// How both editors look: sizes here, colours as variables of the page, so that one theme serves the
// light and the dark scheme.

import { syntaxHighlighting } from '@codemirror/language'
import { EditorView } from '@codemirror/view'
import { classHighlighter } from '@lezer/highlight'
import type { Extension } from '@codemirror/state'

export const theme: Extension = [
  // The colours of `.tok-…` are in page.css.
  syntaxHighlighting(classHighlighter),
  EditorView.lineWrapping,
  EditorView.theme({
    '&': { height: '100%', color: 'var(--text)', backgroundColor: 'var(--surface)', fontSize: '13px' },
    // The frame around the focused editor is in page.css, in front of gutters and active line.
    '&.cm-focused': { outline: 'none' },
    '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.55', overflow: 'auto' },
    '.cm-content': { padding: '8px 0', caretColor: 'var(--text)' },
    // What does not fit on a line goes on further in.
    '.cm-line': { padding: '0 12px 0 calc(8px + 6ch)', textIndent: '-6ch' },
    '.cm-cursor': { borderLeftColor: 'var(--text)' },
    '.cm-gutters': {
      color: 'var(--muted)',
      backgroundColor: 'var(--surface)',
      border: 'none',
      paddingLeft: '4px',
    },
    '.cm-lineNumbers .cm-gutterElement': { minWidth: '26px', padding: '0 6px 0 4px' },
    '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'var(--active)' },
    '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground':
      { background: 'var(--selection)' },
    '.cm-tooltip': {
      color: 'var(--text)',
      backgroundColor: 'var(--raised)',
      border: '1px solid var(--line)',
      borderRadius: '6px',
      boxShadow: 'var(--shadow)',
      maxWidth: 'min(480px, 90vw)',
    },
    '.cm-diagnosticAction': {
      minHeight: '26px',
      marginLeft: '0',
      padding: '2px 10px',
      border: '1px solid var(--good)',
      borderRadius: '6px',
      color: 'var(--good)',
      backgroundColor: 'transparent',
      font: 'inherit',
    },
    '.cm-diagnostic': { padding: '6px 10px', fontFamily: 'var(--sans)', fontSize: '13px' },
    '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--mono)', maxHeight: '14em' },
    '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '2px 8px' },
    '.cm-tooltip-autocomplete ul li[aria-selected]': {
      color: 'var(--surface)',
      background: 'var(--accent)',
    },
    '.cm-completionMatchedText': { textDecoration: 'none', fontWeight: '700' },
    '.cm-completionInfo, .cm-key': { padding: '8px 10px', fontFamily: 'var(--sans)', fontSize: '13px' },
    '.cm-lint-marker': { content: '""', width: '9px', height: '9px', margin: '5px 2px', borderRadius: '50%' },
    '.cm-lint-marker-error': { content: '""', background: 'var(--error)', borderRadius: '2px' },
    '.cm-lint-marker-warning': {
      content: '""',
      background: 'var(--warning)',
      borderRadius: '0',
      clipPath: 'polygon(50% 0, 100% 100%, 0 100%)',
    },
    '.cm-lint-marker-info': { content: '""', background: 'var(--notice)' },
    '.cm-lintRange': { backgroundImage: 'none', paddingBottom: '0' },
    '.cm-lintRange-error': { textDecoration: 'underline wavy var(--error) 1px' },
    '.cm-lintRange-warning': { textDecoration: 'underline wavy var(--warning) 1px' },
    '.cm-lintRange-info': { textDecoration: 'underline dotted var(--notice) 1.5px' },
    '.cm-diagnostic-error': { borderLeftColor: 'var(--error)' },
    '.cm-diagnostic-warning': { borderLeftColor: 'var(--warning)' },
    '.cm-diagnostic-info': { borderLeftColor: 'var(--notice)' },
    '.cm-traced': {
      backgroundColor: 'var(--traced)',
      boxShadow: 'inset 3px 0 0 var(--traced-edge)',
    },
    '.cm-traced-part': { backgroundColor: 'var(--traced)', borderRadius: '2px' },
  }),
]
