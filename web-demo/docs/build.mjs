// The documentation as a site: `node docs/build.mjs CASES.json FOLDER`.
//
// Pages are the Markdown files of the repository's `docs/`, and README.md as the first one. Below each
// configuration key stands the first tested case that uses it, live. The playground comes along, because
// the examples run in it: build it before.

import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Marked } from 'marked'

const here = fileURLToPath(new URL('.', import.meta.url))
const root = join(here, '../..')

const GUIDES = [
  ['index.html', 'Overview'],
  ['getting-started.html', 'Getting started'],
  ['external-haproxy.html', 'External HAProxy'],
  ['operations.html', 'Operations'],
  ['tools.html', 'Tools'],
  ['playground.html', 'The playground'],
  ['keys.html', 'Configuration keys'],
  ['diagnostics.html', 'Diagnostics'],
  ['cli.html', 'Command line'],
  ['compatibility.html', 'Compatibility'],
  ['migrate-from-haproxy-ingress.html', 'From HAProxy Ingress'],
  ['migrate-from-ingress-nginx.html', 'From Ingress NGINX'],
]

/** Builds the site; gives the paths of its pages. */
export function build(cases, folder) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const sources = [
    ['README.md', 'index.html'],
    ...readdirSync(join(root, 'docs'), { recursive: true })
      .filter(it => it.endsWith('.md'))
      .sort()
      .map(it => [`docs/${it}`, it.replace(/\.md$/, '.html')]),
  ]
  const pages = new Map(sources)
  const guides = GUIDES.filter(([path]) => [...pages.values()].includes(path))
  for (const [source, path] of sources) {
    const target = join(folder, path)
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, page(source, path, pages, guides, cases))
  }
  for (const name of ['site.css', 'site.js']) cpSync(join(here, name), join(folder, name))
  cpSync(join(root, 'docs/schema.json'), join(folder, 'schema.json'))
  cpSync(join(here, '../public/favicon.svg'), join(folder, 'favicon.svg'))
  cpSync(join(here, '../dist'), join(folder, 'playground'), { recursive: true })
  return [...pages.values()]
}

function page(source, path, pages, guides, cases) {
  const text = readFileSync(join(root, source), 'utf8')
  const up = posix.relative(posix.dirname(path), '.') || '.'
  let tables = 0
  const marked = new Marked({ gfm: true })
  marked.use({
    renderer: {
      heading({ tokens, depth, text }) {
        const inner = this.parser.parseInline(tokens)
        const id = slug(text)
        return `<h${depth} id="${id}">${inner}</h${depth}>\n`
      },
      link({ href, tokens }) {
        const inner = this.parser.parseInline(tokens)
        const target = linked(href, source, path, pages)
        return target === null ? inner : `<a href="${escaped(target)}">${inner}</a>`
      },
      table(token) {
        const rows = this.constructor.prototype.table.call(this, token)
        return `<div class="wide" tabindex="0" role="region" aria-label="Table ${++tables}">${rows}</div>\n`
      },
      tablecell(token) {
        // A column without a name has no header that could be read out.
        if (token.header && token.text === '') return '<td></td>\n'
        return this.constructor.prototype.tablecell.call(this, token)
      },
      code({ text, lang }) {
        return `<pre tabindex="0"><code class="language-${escaped(lang ?? '')}">${escaped(text)}\n</code></pre>\n`
      },
    },
  })
  const parts = sections(text)
  let isFirst = true
  const body = parts.map(({ key, text }) => {
    const shown = source.startsWith('docs/keys/') && key ? example(cases, source, key) : null
    const html = marked.parse(text)
    if (!shown) return html
    const live = preview(shown, cases.prelude, isFirst ? 'visible' : 'click', key)
    isFirst = false
    return html + live
  })
  const title = /^# (.+)$/m.exec(text)?.[1] ?? 'HAProxy Ingress'
  const nav = guides.map(([target, label]) => {
    const current = target === path || (target === 'keys.html' && path.startsWith('keys/'))
    return `<li><a href="${up}/${target}"${current ? ' aria-current="page"' : ''}>${label}</a></li>`
  })
  const script = '<script src="' + up + '/site.js" defer></script>'
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'">
<link rel="icon" href="${up}/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="${up}/site.css">
<title>${escaped(plain(title))}${title === 'HAProxy Ingress' ? '' : ' · HAProxy Ingress'}</title>
</head>
<body>
<a class="skip" href="#content">Skip to the text</a>
<header><a href="${up}/index.html">HAProxy Ingress</a> <a class="try" href="${up}/playground/index.html">Playground</a></header>
<nav aria-label="Pages"><ul>${nav.join('')}</ul></nav>
<main id="content">
${body.join('\n')}
</main>
${script}
<script src="${up}/playground/embed.js" defer></script>
</body>
</html>
`
}

/** A text cut in front of each heading of the second level; `key` is that heading. */
function sections(text) {
  const parts = [{ key: null, text: '' }]
  let fence = false
  for (const line of text.split('\n')) {
    if (line.startsWith('```')) fence = !fence
    // What ends a page belongs to none of its keys.
    if (!fence && line === '---') parts.push({ key: null, text: '' })
    const heading = fence ? null : /^## (.+)$/.exec(line)
    if (heading) parts.push({ key: heading[1], text: '' })
    parts.at(-1).text += `${line}\n`
  }
  return parts
}

/** Options of a case that the playground can follow. */
const KNOWN = new Set(['haproxy', 'services', 'now'])

/** The first case with a key: without flags of the operator and of the key's own file, if there is one. */
function example({ cases }, source, key) {
  const file = source.replace(/^docs\//, '')
  const all = cases.filter(it => it.keys.includes(key))
  const plain = all.filter(it => flagsOf(it).length === 0)
  const own = list => list.find(it => it.file === file)
  return own(plain) ?? plain[0] ?? own(all) ?? all[0] ?? null
}

function flagsOf({ options }) {
  return Object.entries(options).filter(([name]) => !KNOWN.has(name))
}

/** The same with the class that the controller serves. */
function withClass(text) {
  return documents(text)
    .map(it => {
      const isOurs = /^kind: Ingress$/m.test(it) && !/ingressClassName:|kubernetes\.io\/ingress\.class/.test(it)
      return isOurs ? it.replace(/^spec:\n( +)/m, 'spec:\n$1ingressClassName: haproxy\n$1') : it
    })
    .join('---\n')
}

function preview(shown, prelude, load, key) {
  const { title, options, requests } = shown
  const text = withClass(shown.text)
  const flags = flagsOf(shown).map(([name, value]) => `<code>--${escaped(name)}=${escaped(value)}</code>`)
  const note = flags.length > 0 ? ` It needs the flag ${flags.join(' ')}, which the page does not have.` : ''
  const cluster = surroundings(text, prelude, options.services ?? '')
  const configMap = /^kind: ConfigMap$/m.test(text) && /haproxy-ingress/.test(text)
  const attributes = [
    `load="${load}"`,
    `label="The configuration of: ${escaped(title)}"`,
    ...(options.haproxy ? [`haproxy="${escaped(options.haproxy)}"`] : []),
    ...(configMap ? ['configmap="ingress-controller/haproxy-ingress"'] : []),
    ...(requests[0]?.method === 'GET' ? [`request="${escaped(requests[0].url)}"`] : []),
  ]
  return `<p class="example">Example with <code>${escaped(key)}</code>: ${escaped(title)}.${note}</p>
<haproxy-ingress-preview ${attributes.join(' ')}>
<pre data-file="example.yaml" tabindex="0"><code>${escaped(text)}</code></pre>
<pre data-file="cluster.yaml" hidden><code>${escaped(cluster)}</code></pre>
</haproxy-ingress-preview>
`
}

/** What every case has, as far as the text has a use for it. */
function surroundings(text, prelude, services) {
  const own = new Set(documents(text).map(identity))
  const others = services.split(/[,\s]+/).filter(it => it !== '')
  const service = documents(prelude).filter(it => /^kind: (Service|EndpointSlice)$/m.test(it))
  const more = others.flatMap((name, index) =>
    service.map(it => it.replace(/\bapp\b/g, name).replace(/\bapp-1\b/g, `${name}-1`).replaceAll('10.0.0.', `10.0.${index + 1}.`)),
  )
  const used = documents(prelude).filter(it => {
    if (/^kind: (Service|EndpointSlice|IngressClass)$/m.test(it)) return true
    const name = /^ {2}name: (\S+)$/m.exec(it)?.[1] ?? ''
    return /^kind: Secret$/m.test(it) && new RegExp(`\\b${name}\\b`).test(text)
  })
  return [...used, ...more].filter(it => !own.has(identity(it))).join('---\n')
}

function documents(text) {
  return text.split(/^---\n/m).filter(it => it.trim() !== '')
}

function identity(document) {
  const kind = /^kind: (\S+)$/m.exec(document)?.[1]
  const name = /^ *(?:metadata: \{)?name: ([\w.-]+)/m.exec(document)?.[1]
  return `${kind} ${name}`
}

/** Where a link leads on the site; nowhere, if it leads to a file that is not on it. */
function linked(href, source, path, pages) {
  if (/^[a-z]+:/.test(href)) return href
  const [file, anchor] = href.split('#')
  const hash = anchor ? `#${anchor}` : ''
  if (file === '') return hash
  const wanted = posix.normalize(posix.join(posix.dirname(source), file))
  const target = wanted === 'docs/schema.json' ? 'schema.json' : pages.get(wanted)
  return target ? (posix.relative(posix.dirname(path), target) || posix.basename(target)) + hash : null
}

/** The anchor of a heading, as readers of Markdown make it. */
function slug(text) {
  return plain(text).toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-')
}

function plain(text) {
  return text.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('`', '')
}

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [cases, folder] = process.argv.slice(2)
  if (!cases || !folder) throw new Error('usage: node docs/build.mjs CASES.json FOLDER')
  const pages = build(JSON.parse(readFileSync(cases, 'utf8')), folder)
  console.log(`${pages.length} pages in ${relative(process.cwd(), folder) || '.'}`)
}
