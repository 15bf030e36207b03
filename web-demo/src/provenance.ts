// Field ⇄ lines: the source maps of all files read in both directions.

import type { Output, OutputFile, Place } from './engine/dto'
import type { Focus } from './state'

/** A line of a file. */
export interface Line {
  file: OutputFile
  /** Counted from 1. */
  number: number
  /** What stands on it. */
  text: string
}

/** What belongs together. */
export interface Trace {
  /** The object whose fields all count, because the field that is looked at made no line itself. */
  object: string | null
  /** Who: indexes into the output's origins. */
  origins: number[]
  /** The lines that they made, those of the main configuration first. */
  lines: Line[]
  /** Where they stand in the text. */
  places: Place[]
}

const NOTHING: Trace = { object: null, origins: [], lines: [], places: [] }

export function trace(output: Output, focus: Focus): Trace {
  if (focus.side === 'configuration') {
    const file = output.files.find(it => it.path === focus.path)
    if (!file) return NOTHING
    const origins = file.lines[focus.line - 1] ?? []
    const text = file.content.split('\n')[focus.line - 1]?.trim() ?? ''
    const lines = [{ file, number: focus.line, text }]
    return { object: null, origins, lines, places: placesOf(output, origins) }
  }
  if (focus.side === 'request') return traceOfRequest(output, focus.step)
  const origins = originsAt(output, focus.file, focus.offset)
  const lines = linesOf(output, origins)
  if (lines.length > 0) return { object: null, origins, lines, places: placesOf(output, origins) }
  const object = output.objects.find(({ place }) => place && encloses(place, focus.file, focus.offset))
  if (!object?.place) return NOTHING
  const ofObject = output.origins.flatMap((it, index) => (it.object === object.label ? [index] : []))
  return { object: object.label, origins: ofObject, lines: linesOf(output, ofObject), places: [] }
}

/** What the decision about the request in the form rests on, or one step of it. */
function traceOfRequest(output: Output, step: number | null): Trace {
  const explained = output.explained[0]
  if (explained?.kind !== 'decided') return NOTHING
  const steps = step === null ? explained.steps : explained.steps.slice(step, step + 1)
  const origins = [...new Set(steps.flatMap(it => it.origins))]
  return { object: null, origins, lines: linesOf(output, origins), places: placesOf(output, origins) }
}

function placesOf(output: Output, origins: number[]): Place[] {
  return origins.flatMap(it => output.origins[it]?.place ?? [])
}

function encloses({ file, keyFrom, from, to }: Place, name: string, offset: number): boolean {
  return file === name && offset >= (keyFrom ?? from) && offset <= to
}

/** The origins with the smallest part of the text around an offset. */
function originsAt(output: Output, file: string, offset: number): number[] {
  let smallest = Number.POSITIVE_INFINITY
  let found: number[] = []
  output.origins.forEach(({ place }, index) => {
    if (!place || !encloses(place, file, offset)) return
    const length = place.to - (place.keyFrom ?? place.from)
    if (length > smallest) return
    if (length < smallest) found = []
    smallest = length
    found.push(index)
  })
  return found
}

/** Lines with nothing on them belong to a section as well, but say nothing. */
function linesOf(output: Output, origins: number[]): Line[] {
  const wanted = new Set(origins)
  return output.files.flatMap(file => {
    const texts = file.content.split('\n')
    return file.lines.flatMap((made, index) => {
      const text = made.some(it => wanted.has(it)) ? texts[index]?.trim() : ''
      return text ? [{ file, number: index + 1, text }] : []
    })
  })
}
