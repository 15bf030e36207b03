// The examples: the files of the repository's own folder, each named by its first line.

const files = import.meta.glob<string>('../../examples/{hello,tls,paths}.yaml', {
  query: '?raw',
  import: 'default',
  eager: true,
})

export interface Example {
  name: string
  title: string
  text: string
}

const ORDER = ['hello', 'paths', 'tls']

export const examples: Example[] = Object.entries(files)
  .map(([path, text]) => ({
    name: path.replace(/^.*\/|\.yaml$/g, ''),
    title: /^# (.*?)\.?$/m.exec(text)?.[1] ?? path,
    text,
  }))
  .sort((a, b) => ORDER.indexOf(a.name) - ORDER.indexOf(b.name))
