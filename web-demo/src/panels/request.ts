// Where a request goes, and why: a form, the decisions in their order, and requests that are kept.

import { readRequest, toCurl } from '../curl'
import { byId, make, spans } from '../dom'
import type { Decision, Output, Place, Question } from '../engine/dto'
import { answerTo, outcome, type Result, type SavedRequest } from '../state'

export interface Ways {
  ask(question: Question): void
  keep(): void
  forget(index: number): void
  /** Lights up what one step is about; `null` for all of them. */
  lookAt(step: number | null): void
  toPlace(place: Place): void
  say(text: string): void
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** Gives the form its work. */
export function mountRequest(asked: Question, ways: Ways): void {
  const method = byId<HTMLSelectElement>('method')
  method.append(...METHODS.map(it => make('option', { value: it }, it)))
  fill(asked)
  const url = byId<HTMLInputElement>('url')
  url.oninput = () => {
    if (!/^\s*curl\s/.test(url.value)) return ways.ask(form())
    try {
      const { question, ignored } = readRequest(url.value)
      fill(question)
      ways.ask(question)
      if (ignored.length > 0) ways.say(`${ignored.join(', ')} of curl has no meaning here and was left out.`)
    } catch (error) {
      ways.say(error instanceof Error ? error.message : String(error))
    }
  }
  for (const id of ['method', 'headers', 'client', 'certificate', 'body-size']) {
    byId(id).oninput = () => ways.ask(form())
  }
  byId('url').onfocus = () => ways.lookAt(null)
  byId('request-form').onsubmit = event => {
    event.preventDefault()
    ways.keep()
  }
}

/** Writes a request into the form. */
export function fill(question: Question): void {
  const { url, method, headers, client, certificate, bodySize } = question
  const choice = byId<HTMLSelectElement>('method')
  if (![...choice.options].some(it => it.value === method)) choice.append(make('option', { value: method }, method))
  choice.value = method
  byId<HTMLInputElement>('url').value = url
  byId<HTMLTextAreaElement>('headers').value = headers.map(([name, value]) => `${name}: ${value}`).join('\n')
  byId<HTMLInputElement>('client').value = client ?? ''
  byId<HTMLInputElement>('certificate').checked = certificate
  byId<HTMLInputElement>('body-size').value = bodySize > 0 ? String(bodySize) : ''
  if (headers.length > 0 || client || certificate || bodySize > 0) byId<HTMLDetailsElement>('more').open = true
}

function form(): Question {
  const lines = byId<HTMLTextAreaElement>('headers').value.split('\n')
  const headers = lines.flatMap((line): [string, string][] => {
    const colon = line.indexOf(':')
    return colon > 0 ? [[line.slice(0, colon).trim(), line.slice(colon + 1).trim()]] : []
  })
  const client = byId<HTMLInputElement>('client').value.trim()
  return {
    url: byId<HTMLInputElement>('url').value.trim(),
    method: byId<HTMLSelectElement>('method').value,
    headers,
    certificate: byId<HTMLInputElement>('certificate').checked,
    bodySize: Math.max(0, Math.trunc(Number(byId<HTMLInputElement>('body-size').value)) || 0),
    ...(client === '' ? {} : { client }),
  }
}

/** Draws the answer to the request in the form. */
export function showDecision(body: HTMLElement, result: Result, asked: Question, ways: Ways): void {
  const { output } = result
  const explained = answerTo(result, asked)
  // Before the answer to what is being typed, the one before it stays.
  if (asked.url !== '' && !explained) return
  if (asked.url === '' || !explained) {
    const text = 'Write a URL, or paste a curl command, to see where the request goes and why.'
    body.replaceChildren(make('p', { className: 'empty' }, text))
    return
  }
  if (explained.kind === 'wrong') {
    body.replaceChildren(make('p', { className: 'verdict bad' }, ...spans(explained.message)))
    return
  }
  body.replaceChildren(...decision(explained, output, ways))
}

function decision(it: Decision, output: Output, ways: Ways): HTMLElement[] {
  const steps = it.steps.map((step, index) => {
    const content = [
      make('span', { className: 'asked' }, ...spans(step.asked)),
      make('span', { className: 'answer' }, ...spans(step.outcome)),
      ...step.origins.slice(0, 3).map(origin => make('span', { className: 'by' }, ...spans(output.origins[origin]?.label ?? ''))),
    ]
    const button = make(
      'button',
      { type: 'button', className: 'step', onclick: () => lookAndGo(index), onfocus: () => ways.lookAt(index) },
      ...content,
    )
    const notes = step.notes.map(note => make('li', {}, ...spans(note.text)))
    return make(
      'li',
      { className: step.isEnd ? 'end' : '' },
      button,
      ...(notes.length > 0 ? [make('ul', { className: 'notes' }, ...notes)] : []),
    )
  })
  const lookAndGo = (index: number) => {
    ways.lookAt(index)
    const place = it.steps[index]?.origins.flatMap(origin => output.origins[origin]?.place ?? [])[0]
    if (place) ways.toPlace(place)
  }
  const servers = it.servers.map(server =>
    make('li', {}, make('code', {}, server.name), ` ${server.address} `, make('span', { className: 'where' }, percent(server.chance))),
  )
  const headers = it.headers.map(header => make('li', {}, ...spans(header.text)))
  const left = it.notSimulated.map(note => make('li', {}, ...spans(note.text)))
  const named = (title: string, list: HTMLElement[]) =>
    list.length > 0 ? [make('h3', {}, title), make('ul', { className: 'plain' }, ...list)] : []
  return [
    make('p', { className: `verdict ${it.isServed ? 'good' : ''}` }, ...spans(it.end)),
    ...(it.path !== null && it.isServed ? [make('p', { className: 'lead' }, 'The server sees ', make('code', {}, it.path))] : []),
    make('ol', { className: 'steps' }, ...steps),
    ...named('Servers', servers),
    ...named('Headers', headers),
    ...named('Not simulated', left),
  ]
}

/** Draws the requests that are kept, each with what becomes of it now. */
export function showKept(
  list: HTMLElement,
  kept: readonly SavedRequest[],
  result: Result,
  ways: Ways,
): void {
  const rows = kept.map(({ question, expected }, index) => {
    const explained = answerTo(result, question)
    const now = explained ? outcome(explained) : ''
    const isSame = expected === null || !explained || now === expected
    const button = make(
      'button',
      {
        type: 'button',
        className: 'kept-row',
        title: toCurl(question),
        onclick: () => {
          fill(question)
          ways.ask(question)
        },
      },
      make('span', { className: `mark ${!explained ? '' : isSame ? 'good' : 'error'}` }, !explained ? '…' : isSame ? '✓' : '✕'),
      make('span', { className: 'what' }, `${question.method} ${question.url}`),
      make('span', { className: 'now' }, ...spans(isSame ? now : `was ${expected ?? ''}, now ${now}`)),
    )
    const forget = make('button', { type: 'button', className: 'quiet', onclick: () => ways.forget(index) }, 'Forget')
    forget.setAttribute('aria-label', `Forget ${question.method} ${question.url}`)
    return make('li', { className: isSame ? '' : 'changed' }, button, forget)
  })
  list.replaceChildren(...rows)
}

function percent(chance: number): string {
  return `${(chance * 100).toFixed(chance > 0 && chance < 0.1 ? 1 : 0)} %`
}
