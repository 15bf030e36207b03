// The border between the panes and the panels below them: dragged, or moved with the arrow keys.

/** Shares of the height for the lower row, in percent. */
const LEAST = 12
const MOST = 75
const STEP = 4

export function mountSplitter(separator: HTMLElement, container: HTMLElement): void {
  const set = (percent: number) => {
    const value = Math.round(Math.min(MOST, Math.max(LEAST, percent)))
    separator.setAttribute('aria-valuenow', String(value))
    container.style.setProperty('--lower', `${value}%`)
  }
  const now = () => Number(separator.getAttribute('aria-valuenow'))
  separator.setAttribute('aria-valuemin', String(LEAST))
  separator.setAttribute('aria-valuemax', String(MOST))
  separator.onkeydown = event => {
    const to = { ArrowUp: now() + STEP, ArrowDown: now() - STEP, Home: LEAST, End: MOST }[event.key]
    if (to === undefined) return
    event.preventDefault()
    set(to)
  }
  separator.onpointerdown = event => {
    event.preventDefault()
    separator.setPointerCapture(event.pointerId)
  }
  separator.onpointermove = event => {
    if (!separator.hasPointerCapture(event.pointerId)) return
    const { bottom, height } = container.getBoundingClientRect()
    set(((bottom - event.clientY) / height) * 100)
  }
}
