// The state in an address and in the browser's own storage.
//
// Links look like `#2` and base64url of deflated JSON. The digit is the version: a later form of
// links gets another one, and the older ones stay readable. What stands behind `#` reaches no server.

import type { Manifest, Place } from './engine/dto'
import { readRequest, toCurl } from './curl'
import { UNNAMED, type Input, type SavedRequest } from './state'

const VERSION = '2'
const STORAGE_KEY = 'haproxy-ingress-playground'
const STORAGE_LIMIT = 500_000

/** Everything after `#`. */
export async function toFragment(shared: Input): Promise<string> {
  const pairs = (files: readonly Manifest[]) => files.map(it => [it.name, it.text])
  const { haproxy, files, configMap, running, kept } = shared
  const value = {
    h: haproxy,
    f: pairs(files),
    ...(configMap === null ? {} : { c: configMap }),
    ...(running === null ? {} : { p: pairs(running) }),
    ...(kept.length === 0 ? {} : { r: written(kept) }),
  }
  const bytes = new TextEncoder().encode(JSON.stringify(value))
  return VERSION + base64url(await through(bytes, new CompressionStream('deflate-raw')))
}

/** Reads a fragment without its `#`; throws when it is none of ours. */
export async function fromFragment(fragment: string): Promise<Input> {
  const version = fragment.charAt(0)
  if (version !== '1' && version !== '2') throw new Error('a link of an unknown version')
  const deflated = bytesOf(fragment.slice(1))
  const bytes = await through(deflated, new DecompressionStream('deflate-raw'))
  const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  return version === '1' ? ofVersion1(value) : ofVersion2(value)
}

function ofVersion1(value: unknown): Input {
  if (!Array.isArray(value) || typeof value[0] !== 'string' || typeof value[1] !== 'string') {
    throw new Error('a link without resources')
  }
  const files = [{ name: UNNAMED, text: value[1] }]
  return { files, haproxy: value[0], configMap: null, running: null, kept: [] }
}

function ofVersion2(value: unknown): Input {
  if (typeof value !== 'object' || value === null) throw new Error('a link without resources')
  const { h, f, c, p, r } = value as Record<string, unknown>
  if (typeof h !== 'string') throw new Error('a link without a version of HAProxy')
  return {
    files: manifests(f),
    haproxy: h,
    configMap: typeof c === 'string' ? c : null,
    running: p === undefined ? null : manifests(p),
    kept: requests(r),
  }
}

function manifests(value: unknown): Manifest[] {
  if (!Array.isArray(value)) throw new Error('a link without resources')
  return value.map((it: unknown) => {
    if (!Array.isArray(it) || typeof it[0] !== 'string' || typeof it[1] !== 'string') {
      throw new Error('a link with something else than texts')
    }
    return { name: it[0], text: it[1] }
  })
}

/** Requests as pairs of a command and what is expected; what is none is left out. */
function written(kept: readonly SavedRequest[]): [string, string | null][] {
  return kept.map(it => [toCurl(it.question), it.expected])
}

function requests(value: unknown): SavedRequest[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((it: unknown): SavedRequest[] => {
    if (!Array.isArray(it) || typeof it[0] !== 'string') return []
    try {
      const { question } = readRequest(it[0])
      return [{ question, expected: typeof it[1] === 'string' ? it[1] : null }]
    } catch {
      return []
    }
  })
}

/** The texts with empty values in the places of Secrets. */
export function withoutSecrets(files: readonly Manifest[], secrets: readonly Place[]): Manifest[] {
  return files.map(({ name, text }) => ({
    name,
    text: secrets
      .filter(it => it.file === name)
      .toSorted((a, b) => b.from - a.from)
      .reduce((it, { from, to }) => `${it.slice(0, from)}""${it.slice(to)}`, text),
  }))
}

/** What was edited last time. Storage can be forbidden, full or changed by hand: then there is none. */
export function restore(): (Input & { knowsThePage: boolean }) | null {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? 'null')
    if (typeof value !== 'object' || value === null) return null
    const { text, haproxy, files, configMap, kept, knowsThePage } = value as Record<string, unknown>
    if (typeof haproxy !== 'string') return null
    return {
      // Before there were several files there was one text.
      files: typeof text === 'string' ? [{ name: UNNAMED, text }] : manifests(files),
      haproxy,
      configMap: typeof configMap === 'string' ? configMap : null,
      running: null,
      kept: requests(kept),
      knowsThePage: knowsThePage === true,
    }
  } catch {
    return null
  }
}

export function remember(shared: Input, knowsThePage: boolean): void {
  const { haproxy, configMap } = shared
  const files = shared.files.map(({ name, text }) => [name, text])
  if (shared.files.reduce((sum, it) => sum + it.text.length, 0) > STORAGE_LIMIT) return
  try {
    const value = { files, haproxy, configMap, kept: written(shared.kept), knowsThePage }
    localStorage.setItem(STORAGE_KEY, JSON.stringify(value))
  } catch {
    // Then the next visit starts with the first example.
  }
}

async function through(
  bytes: Uint8Array<ArrayBuffer>,
  stream: CompressionStream | DecompressionStream,
): Promise<Uint8Array<ArrayBuffer>> {
  const piped = new Blob([bytes]).stream().pipeThrough(stream)
  return new Uint8Array(await new Response(piped).arrayBuffer())
}

function base64url(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

function bytesOf(base64url: string): Uint8Array<ArrayBuffer> {
  const binary = atob(base64url.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(binary, it => it.charCodeAt(0))
}
