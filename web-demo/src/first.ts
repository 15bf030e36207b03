// What the page shows first: the address, else what was edited last time, else the first example.

import { examples, inputOf } from './examples'
import { fromFragment, restore } from './share'
import { VERSIONS, type Input } from './state'

export interface First {
  input: Input
  knowsThePage: boolean
  /** Why it is not what the address says. */
  notice: string
}

/** Whether the page stands in another one, small and without a memory. */
export const EMBEDDED = new URLSearchParams(location.search).has('embed')

export async function firstShown(): Promise<First> {
  const saved = EMBEDDED ? null : restore()
  const knowsThePage = saved?.knowsThePage ?? false
  const fragment = location.hash.slice(1)
  const own = known(saved ?? inputOf(examples[0]))
  if (fragment === '') return { input: own, knowsThePage, notice: '' }
  if (fragment.startsWith('example/')) {
    const name = fragment.slice('example/'.length)
    const example = examples.find(it => it.name === name)
    if (example) return { input: inputOf(example), knowsThePage, notice: '' }
    return { input: own, knowsThePage, notice: `There is no example ${name}; your own text is shown.` }
  }
  try {
    return { input: known(await fromFragment(fragment)), knowsThePage, notice: '' }
  } catch {
    const notice = 'The link is damaged or of another version of this page; your own text is shown.'
    return { input: own, knowsThePage, notice }
  }
}

/** The same with a version of HAProxy that can be chosen. */
function known(input: Input): Input {
  return { ...input, haproxy: VERSIONS.find(it => it === input.haproxy) ?? VERSIONS[0] }
}
