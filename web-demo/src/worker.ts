// The engine's side of the protocol.

import initialise, { Playground, keys, version } from './engine/engine.js'
import engineUrl from './engine/engine_bg.wasm?url'
import type { Key, Manifest, Output, Settings } from './engine/dto'
import type { FromWorker, ToWorker } from './protocol'

/** The name of the one text that the page has. */
const FILE = 'resources.yaml'

/** The playground of the last request: made again only when its version or what runs has changed. */
let current: { haproxy: string; running: string | null; playground: Playground } | null = null

function playground(request: ToWorker): Playground {
  if (current?.haproxy === request.haproxy && current.running === request.running) {
    return current.playground
  }
  current?.playground.free()
  current = null
  const settings: Settings = { haproxy: request.haproxy, now: Math.floor(Date.now() / 1000) }
  const fresh = new Playground(JSON.stringify(settings))
  if (request.running !== null) fresh.run(manifests(request.running))
  current = { haproxy: request.haproxy, running: request.running, playground: fresh }
  return fresh
}

function manifests(text: string): string {
  return JSON.stringify([{ name: FILE, text }] satisfies Manifest[])
}

function answer(message: FromWorker): void {
  self.postMessage(message)
}

self.onmessage = (event: MessageEvent<ToWorker>) => {
  const request = event.data
  const start = performance.now()
  try {
    const output = JSON.parse(playground(request).compile(manifests(request.text))) as Output
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
  answer({ type: 'ready', version: version(), keys: JSON.parse(keys()) as Key[] })
} catch (error) {
  answer({ type: 'failed', id: null, message: text(error) })
}
