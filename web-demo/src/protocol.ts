// Between the page and the worker: typed messages, and the side of the page.
//
// One request is in flight; while it runs only the newest edit waits; answers to older edits are
// dropped. A worker that does not answer in time, or whose engine panicked, is replaced.

import type { Key, Output, Question, Schema } from './engine/dto'
import type { Input } from './state'

export interface Request extends Pick<Input, 'files' | 'haproxy' | 'configMap' | 'running'> {
  /** Whether the model is wanted, and the difference to what runs. */
  model: boolean
  difference: boolean
  questions: Question[]
}

export type ToWorker = Request & { id: number }

/** What the engine knows by itself. */
export interface Knowledge {
  version: string
  keys: Key[]
  schemas: Schema[]
}

export type FromWorker =
  | ({ type: 'ready' } & Knowledge)
  // Text, as it comes from the engine: a copy of the values would be read and written twice more.
  | { type: 'output'; id: number; output: string; milliseconds: number }
  | { type: 'failed'; id: number | null; message: string }

export interface Answers {
  ready(knowledge: Knowledge): void
  output(request: Request, output: Output, milliseconds: number): void
  /** The engine could not answer. `loaded` is false if it never could. */
  failed(request: Request | null, message: string, loaded: boolean): void
}

/** How long one compilation may take, and how much longer for each million characters: ten thousand objects
 *  are three million, and take a second where nothing else runs. */
const PATIENCE = 5_000
const PATIENCE_FOR_SIZE = 3_000

/** Answers that come this fast, in milliseconds, need no pause between edits: one request is in flight, so
 *  that none of them piles up. Where they take longer, to show each of them would hold up who types. */
const FAST = 60

export class Engine {
  readonly #answers: Answers
  #worker: Worker
  #loaded = false
  #lastId = 0
  #inFlight: { id: number; request: Request; watchdog: number } | null = null
  #waiting: Request | null = null
  #pause: number | undefined
  #lastRun = 0

  constructor(answers: Answers) {
    this.#answers = answers
    this.#worker = this.#start()
  }

  /** Asks for a compilation; an older request that has not begun is forgotten. */
  submit(request: Request): void {
    this.#waiting = request
    clearTimeout(this.#pause)
    const delay = this.#lastRun < FAST ? 0 : Math.min(this.#lastRun, 150)
    if (delay === 0) this.#next()
    else this.#pause = window.setTimeout(() => this.#next(), delay)
  }

  #start(): Worker {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
    worker.onmessage = (event: MessageEvent<FromWorker>) => this.#receive(event.data)
    worker.onerror = event => {
      event.preventDefault()
      this.#replace(event.message || 'the engine could not be loaded')
    }
    return worker
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'ready':
        this.#loaded = true
        this.#answers.ready(message)
        break
      case 'output': {
        const done = this.#finish(message.id)
        if (!done) return
        this.#lastRun = message.milliseconds
        // What is shown may be one edit behind, never out of order.
        this.#answers.output(done, JSON.parse(message.output) as Output, message.milliseconds)
        break
      }
      case 'failed':
        this.#replace(message.message)
        return
    }
    this.#next()
  }

  #finish(id: number): Request | null {
    if (this.#inFlight?.id !== id) return null
    clearTimeout(this.#inFlight.watchdog)
    const { request } = this.#inFlight
    this.#inFlight = null
    return request
  }

  #next(): void {
    if (!this.#loaded || this.#inFlight || !this.#waiting) return
    const request = this.#waiting
    const id = ++this.#lastId
    this.#waiting = null
    const size = request.files.reduce((sum, it) => sum + it.text.length, 0)
    const patience = PATIENCE + Math.round((size / 1e6) * PATIENCE_FOR_SIZE)
    const watchdog = window.setTimeout(
      () => this.#replace(`no answer after ${Math.round(patience / 1000)} seconds; the engine was restarted`),
      patience,
    )
    this.#inFlight = { id, request, watchdog }
    this.#worker.postMessage({ id, ...request } satisfies ToWorker)
  }

  /** Ends the worker and starts another one, which is not given the same request again. */
  #replace(message: string): void {
    const request = this.#inFlight && this.#finish(this.#inFlight.id)
    const loaded = this.#loaded
    this.#worker.terminate()
    this.#loaded = false
    this.#lastRun = 0
    // An engine that did not even load would not load now.
    if (loaded) this.#worker = this.#start()
    this.#answers.failed(request, message, loaded)
  }
}
