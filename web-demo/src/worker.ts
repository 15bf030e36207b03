// The engine's side of the protocol.

import initialise, { Playground, keys, schemas, version } from './engine/engine.js'
import engineUrl from './engine/engine_bg.wasm?url'
import type { Key, Schema, Settings, Wanted } from './engine/dto'
import type { FromWorker, ToWorker } from './protocol'
import { isSame, type Input } from './state'

type Options = Pick<Input, 'haproxy' | 'configMap' | 'running'>

/** The playground of the last request: made again only when its options or what runs has changed. */
let current: (Options & { playground: Playground }) | null = null

function playground({ haproxy, configMap, running }: Options): Playground {
  const same = current?.haproxy === haproxy && current.configMap === configMap
  if (current && same && isSameOrNull(current.running, running)) return current.playground
  current?.playground.free()
  current = null
  const now = Math.floor(Date.now() / 1000)
  const settings: Settings = { haproxy, now, ...(configMap === null ? {} : { configMap }) }
  const fresh = new Playground(JSON.stringify(settings))
  if (running !== null) fresh.run(JSON.stringify(running))
  current = { haproxy, configMap, running, playground: fresh }
  return fresh
}

/** Each message is a copy, so that only a comparison says whether what runs is still the same. */
function isSameOrNull(a: Input['running'], b: Input['running']): boolean {
  return a === b || (a !== null && b !== null && isSame(a, b))
}

function answer(message: FromWorker): void {
  self.postMessage(message)
}

self.onmessage = (event: MessageEvent<ToWorker>) => {
  const request = event.data
  const start = performance.now()
  try {
    const { files, model, difference, questions } = request
    const wanted: Wanted = { files: [...files], model, difference, questions }
    const output = playground(request).compile(JSON.stringify(wanted))
    const milliseconds = performance.now() - start
    answer({ type: 'output', id: request.id, output, milliseconds })
  } catch (error) {
    answer({ type: 'failed', id: request.id, message: text(error) })
  }
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

try {
  await initialise({ module_or_path: engineUrl })
  answer({
    type: 'ready',
    version: version(),
    keys: JSON.parse(keys()) as Key[],
    schemas: JSON.parse(schemas()) as Schema[],
  })
} catch (error) {
  answer({ type: 'failed', id: null, message: text(error) })
}
