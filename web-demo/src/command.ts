// What gives the same configuration in a shell.

import type { Manifest } from './engine/dto'

/** A command for a POSIX shell that prints the main configuration. */
export function commandLine(
  files: readonly Manifest[],
  haproxy: string,
  configMap: string | null,
): string {
  const text = files.map(it => it.text.replace(/\n?$/, '\n')).join('---\n')
  const lines = new Set(text.split('\n'))
  let end = 'EOF'
  while (lines.has(end)) end += '_'
  const flags = [`--haproxy-version ${haproxy}`, ...(configMap === null ? [] : [`--configmap ${quoted(configMap)}`])]
  return `haproxy-ingress render ${flags.join(' ')} -f - <<'${end}'\n${text}${end}\n`
}

function quoted(word: string): string {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
