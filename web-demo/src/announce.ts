// The line at the foot of the page: what happened last, at most once a second, so that screen readers
// can keep up.

import { byId, count } from './dom'
import { summary } from './panels/findings'
import { isStale, type State } from './state'

const EVERY = 1_000

export class Announcer {
  #notice: string
  #last = 0
  #waiting: number | undefined

  constructor(notice: string) {
    this.#notice = notice
  }

  /** Says something until the next edit. */
  say(text: string, state: State): void {
    this.#notice = text
    this.show(state)
  }

  /** What was said is no longer the newest. */
  forget(): void {
    this.#notice = ''
  }

  show(state: State): void {
    clearTimeout(this.#waiting)
    const wait = this.#last + EVERY - performance.now()
    this.#waiting = window.setTimeout(() => {
      this.#last = performance.now()
      const status = byId('status')
      status.textContent = this.#notice || text(state)
      status.classList.toggle('trouble', this.#notice === '' && state.trouble !== null)
    }, Math.max(wait, 0))
  }
}

function text(state: State): string {
  if (state.trouble) {
    return state.engine === 'unusable'
      ? `The engine does not run in this browser: ${state.trouble}`
      : `The engine stopped: ${state.trouble}`
  }
  if (!state.latest) return 'Loading the engine…'
  const { output, milliseconds } = state.latest
  if (isStale(state)) return `The text does not parse: ${summary(output)}. The last good result is shown.`
  const lines = output.files.find(it => it.role === 'config')?.content.split('\n').length ?? 1
  const parts = [
    `${count(output.objects.length, 'object')} → ${count(lines - 1, 'line')} in ${count(output.files.length, 'file')}`,
    summary(output),
    `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`,
  ]
  return parts.filter(it => it !== '').join(' · ')
}
