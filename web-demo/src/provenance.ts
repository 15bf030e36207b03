// Field ⇄ lines: the source map read in both directions.

import type { Output, Place } from './engine/dto'
import type { Focus } from './state'

/** What belongs together. */
export interface Trace {
  /** Who: indexes into the output's origins. */
  origins: number[]
  /** The lines of the main configuration that they made, counted from 1. */
  lines: number[]
  /** Where they stand in the text. */
  places: Place[]
}

export function trace(output: Output, focus: Focus): Trace {
  const origins =
    focus.side === 'configuration'
      ? (output.lines[focus.line - 1] ?? [])
      : originsAt(output, focus.offset)
  const places = origins.flatMap(it => output.origins[it]?.place ?? [])
  const lines = focus.side === 'configuration' ? [focus.line] : linesOf(output, origins)
  return { origins, lines, places }
}

/** The origins with the smallest part of the text around an offset. */
function originsAt(output: Output, offset: number): number[] {
  let smallest = Number.POSITIVE_INFINITY
  let found: number[] = []
  output.origins.forEach(({ place }, index) => {
    if (!place) return
    const from = place.keyFrom ?? place.from
    const length = place.to - from
    if (offset < from || offset > place.to || length > smallest) return
    if (length < smallest) found = []
    smallest = length
    found.push(index)
  })
  return found
}

function linesOf(output: Output, origins: number[]): number[] {
  const wanted = new Set(origins)
  return output.lines.flatMap((made, index) => (made.some(it => wanted.has(it)) ? [index + 1] : []))
}
