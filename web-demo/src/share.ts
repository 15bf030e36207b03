// The state in an address and in the browser's own storage.
//
// Links look like `#1` and base64url of deflated JSON. The digit is the version: a later form of
// links gets another one, and this one stays readable. What stands behind `#` reaches no server.

import type { Place } from './engine/dto'

export interface Shared {
  text: string
  haproxy: string
}

const VERSION = '1'
const STORAGE_KEY = 'haproxy-ingress-playground'
const STORAGE_LIMIT = 500_000

/** Everything after `#`. */
export async function toFragment(shared: Shared): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify([shared.haproxy, shared.text]))
  const deflated = await through(bytes, new CompressionStream('deflate-raw'))
  return VERSION + base64url(deflated)
}

/** Reads a fragment without its `#`; throws when it is none of ours. */
export async function fromFragment(fragment: string): Promise<Shared> {
  if (!fragment.startsWith(VERSION)) throw new Error('a link of an unknown version')
  const deflated = bytesOf(fragment.slice(VERSION.length))
  const bytes = await through(deflated, new DecompressionStream('deflate-raw'))
  const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  if (!Array.isArray(value) || typeof value[0] !== 'string' || typeof value[1] !== 'string') {
    throw new Error('a link without resources')
  }
  return { haproxy: value[0], text: value[1] }
}

/** The text with empty values in the places of Secrets. */
export function withoutSecrets(text: string, secrets: Place[]): string {
  return secrets
    .toSorted((a, b) => b.from - a.from)
    .reduce((it, { from, to }) => `${it.slice(0, from)}""${it.slice(to)}`, text)
}

/** What was edited last time. Storage can be forbidden, full or changed by hand: then there is none. */
export function restore(): (Shared & { knowsThePage: boolean }) | null {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? 'null')
    if (typeof value !== 'object' || value === null) return null
    const { text, haproxy, knowsThePage } = value as Record<string, unknown>
    if (typeof text !== 'string' || typeof haproxy !== 'string') return null
    return { text, haproxy, knowsThePage: knowsThePage === true }
  } catch {
    return null
  }
}

export function remember(shared: Shared, knowsThePage: boolean): void {
  if (shared.text.length > STORAGE_LIMIT) return
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify({ ...shared, knowsThePage }))
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
