// Field ⇄ lines: the source map read in both directions.

import type { Output, Place } from './engine/dto'
import type { Focus } from './state'

/** What belongs together. */
export interface Trace {
  /** The object whose fields all count, because the field that is looked at made no line itself. */
  object: string | null
  /** Who: indexes into the output's origins. */
  origins: number[]
  /** The lines of the main configuration that they made, counted from 1. */
  lines: number[]
  /** Where they stand in the text. */
  places: Place[]
}

export function trace(output: Output, focus: Focus): Trace {
  if (focus.side === 'configuration') {
    const origins = output.lines[focus.line - 1] ?? []
    return { object: null, origins, lines: [focus.line], places: placesOf(output, origins) }
  }
  const origins = originsAt(output, focus.offset)
  const lines = linesOf(output, origins)
  if (lines.length > 0) return { object: null, origins, lines, places: placesOf(output, origins) }
  const object = output.objects.find(({ place }) => place && encloses(place, focus.offset))
  if (!object?.place) return { object: null, origins: [], lines: [], places: [] }
  const ofObject = output.origins.flatMap((it, index) => (it.object === object.label ? [index] : []))
  return { object: object.label, origins: ofObject, lines: linesOf(output, ofObject), places: [] }
}

function placesOf(output: Output, origins: number[]): Place[] {
  return origins.flatMap(it => output.origins[it]?.place ?? [])
}

function encloses({ keyFrom, from, to }: Place, offset: number): boolean {
  return offset >= (keyFrom ?? from) && offset <= to
}

/** The origins with the smallest part of the text around an offset. */
function originsAt(output: Output, offset: number): number[] {
  let smallest = Number.POSITIVE_INFINITY
  let found: number[] = []
  output.origins.forEach(({ place }, index) => {
    if (!place || !encloses(place, offset)) return
    const length = place.to - (place.keyFrom ?? place.from)
    if (length > smallest) return
    if (length < smallest) found = []
    smallest = length
    found.push(index)
  })
  return found
}

/** Lines with nothing on them belong to a section as well, but say nothing. */
function linesOf(output: Output, origins: number[]): number[] {
  const wanted = new Set(origins)
  const text = output.files.find(it => it.role === 'config')?.content.split('\n') ?? []
  return output.lines.flatMap((made, index) =>
    made.some(it => wanted.has(it)) && text[index]?.trim() ? [index + 1] : [],
  )
}
