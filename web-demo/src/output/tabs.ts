// What the result consists of: its files, and the views that are no files.

import type { OutputFile } from '../engine/dto'
import type { View } from '../state'
import type { Tab } from '../tablist'
import { baseName } from './view'

const ROLES: Record<OutputFile['role'], string> = {
  config: 'main configuration',
  map: 'map',
  checks: 'map of what is asked of requests',
  'regex-map': 'map of regular expressions',
  'certificate-list': 'list of certificates',
  certificate: 'certificate, its key is not shown',
  authorities: 'authorities of certificates',
  revocations: 'certificates that authorities revoked',
  'dh-parameters': 'parameters of Diffie-Hellman',
  list: 'list',
  response: 'response',
  lua: 'Lua script',
  agent: 'how agents are asked',
}

/** The main configuration and the views first, then the other files. */
export function resultTabs(files: OutputFile[], view: View | null): Tab[] {
  const tabs = files.map(
    (file): Tab => ({
      key: `file ${file.path}`,
      label: baseName(file.path),
      title: `${file.path} (${ROLES[file.role]})`,
      selected: view?.kind === 'file' && view.path === file.path,
    }),
  )
  const views = (['model', 'status'] as const).map(
    (kind): Tab => ({
      key: kind,
      label: kind === 'model' ? 'Model' : 'Status',
      title:
        kind === 'model'
          ? 'What was understood, before it was written as text'
          : 'What became of each object',
      selected: view?.kind === kind,
      className: 'view-tab',
    }),
  )
  return [...tabs.slice(0, 1), ...views, ...tabs.slice(1)]
}

/** What a tab stands for. */
export function viewOf(key: string): View {
  if (key === 'model' || key === 'status') return { kind: key }
  return { kind: 'file', path: key.slice('file '.length) }
}
