// The examples: the files of the repository's own folder, each named by its first line.

import { readRequest } from './curl'
import { VERSIONS, type Input } from './state'

const files = import.meta.glob<string>('../../examples/*.yaml', {
  query: '?raw',
  import: 'default',
  eager: true,
})

export interface Example {
  /** The file without its ending, as links have it: `#example/tls`. */
  name: string
  title: string
  text: string
}

/** The simplest first; what is not named here follows by its name. */
const ORDER = ['hello', 'paths', 'tls', 'redirects', 'auth', 'canary', 'limits', 'mtls', 'tcp', 'mistakes', 'hostile']

export const examples: Example[] = Object.entries(files)
  .map(([path, text]) => ({
    name: path.replace(/^.*\/|\.yaml$/g, ''),
    title: /^# (.*?)\.?$/m.exec(text)?.[1] ?? path,
    text,
  }))
  .sort((a, b) => place(a.name) - place(b.name) || a.name.localeCompare(b.name))

function place(name: string): number {
  const index = ORDER.indexOf(name)
  return index < 0 ? ORDER.length : index
}

/** An example as what the page is about. Its comments say which ConfigMap is the global one, and what
 * to ask. */
export function inputOf(example: Example | undefined, haproxy: string = VERSIONS[0]): Input {
  const text = example?.text ?? ''
  const configMap = /^# configmap: (\S+)$/m.exec(text)?.[1] ?? null
  const requests = [...text.matchAll(/^# request: (.+)$/gm)].map(it => readRequest(it[1] ?? '').question)
  const kept = requests.map(question => ({ question, expected: null }))
  const name = `${example?.name ?? 'resources'}.yaml`
  return { files: [{ name, text }], haproxy, configMap, running: null, kept }
}
