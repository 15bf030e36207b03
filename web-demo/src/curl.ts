// A request as it is typed: a URL, or a command line of curl.

import type { Question } from './engine/dto'

/** A request, and what of the command has no meaning here. */
export interface Read {
  question: Question
  ignored: string[]
}

export function question(url: string): Question {
  return { url, method: 'GET', headers: [], certificate: false, bodySize: 0 }
}

/** Flags that change nothing about where a request goes. */
const IRRELEVANT = new Set(
  '-s --silent -S --show-error -v --verbose -i --include -k --insecure -L --location -f --fail --fail-with-body -g --globoff -N --no-buffer -# --progress-bar -4 --ipv4 -6 --ipv6 --http1.1 --http2 --http2-prior-knowledge --path-as-is -O --remote-name'.split(' '),
)
/** The same with a value behind them. */
const IRRELEVANT_VALUES = new Set(
  '-o --output -m --max-time --connect-timeout --resolve --connect-to --cacert --key -w --write-out --retry -x --proxy'.split(' '),
)

const LONG: Record<string, string> = {
  '-X': '--request',
  '-H': '--header',
  '-d': '--data',
  '--data-raw': '--data',
  '--data-binary': '--data',
  '--data-ascii': '--data',
  '-A': '--user-agent',
  '-e': '--referer',
  '-b': '--cookie',
  '-u': '--user',
  '-E': '--cert',
}
const WITH_VALUE = new Set([
  '--request', '--header', '--data', '--user-agent', '--referer', '--cookie', '--user', '--cert', '--url',
  '--interface', '--oauth2-bearer',
])

/** Reads a URL or a command; throws an error that says what is wrong. */
export function readRequest(text: string): Read {
  const words = wordsOf(text.trim())
  if (words[0] !== 'curl') {
    if (words.length > 1) throw new Error('A URL has no blanks; a command begins with “curl”.')
    return { question: question(words[0] ?? ''), ignored: [] }
  }
  const read = question('')
  const ignored: string[] = []
  const data: string[] = []
  let method: string | null = null
  let isGet = false
  const rest = words.slice(1)
  const valueOf = (flag: string): string => {
    const value = rest.shift()
    if (value === undefined) throw new Error(`Behind ${flag} something is missing.`)
    return value
  }
  while (rest.length > 0) {
    const word = rest.shift() ?? ''
    if (!word.startsWith('-') || word === '-') {
      read.url = word
      continue
    }
    // `-sSk` is three flags, `-XPOST` one with its value.
    if (/^-[^-]../.test(word) || (/^-[^-]./.test(word) && word.length > 2)) {
      const flag = word.slice(0, 2)
      const takes = LONG[flag] !== undefined || IRRELEVANT_VALUES.has(flag)
      rest.unshift(flag, takes ? word.slice(2) : `-${word.slice(2)}`)
      continue
    }
    const flag = LONG[word] ?? word
    const value = WITH_VALUE.has(flag) || flag === '--data-urlencode' ? valueOf(word) : ''
    if (flag === '--request') method = value.toUpperCase()
    else if (flag === '--url') read.url = value
    else if (flag === '--header') {
      const [name = '', ...after] = value.split(':')
      if (after.length > 0) read.headers.push([name.trim(), after.join(':').trim()])
    } else if (flag === '--data' || flag === '--data-urlencode') {
      data.push(flag === '--data' ? value : encodeURIComponent(value))
    } else if (flag === '--user-agent') read.headers.push(['User-Agent', value])
    else if (flag === '--referer') read.headers.push(['Referer', value])
    else if (flag === '--cookie') read.headers.push(['Cookie', value])
    else if (flag === '--user') read.headers.push(['Authorization', `Basic ${base64(value)}`])
    else if (flag === '--oauth2-bearer') read.headers.push(['Authorization', `Bearer ${value}`])
    else if (flag === '--cert') read.certificate = true
    else if (flag === '--interface') read.client = value
    else if (word === '-I' || word === '--head') method = 'HEAD'
    else if (word === '-G' || word === '--get') isGet = true
    else if (IRRELEVANT_VALUES.has(word)) valueOf(word)
    else if (!IRRELEVANT.has(word)) ignored.push(word)
  }
  if (read.url === '') throw new Error('The command has no URL.')
  const body = data.join('&')
  if (data.length > 0 && isGet) read.url += `${read.url.includes('?') ? '&' : '?'}${body}`
  else if (data.length > 0) {
    read.bodySize = new TextEncoder().encode(body).length
    method ??= 'POST'
    const isTyped = read.headers.some(([name]) => name.toLowerCase() === 'content-type')
    if (!isTyped) read.headers.push(['Content-Type', 'application/x-www-form-urlencoded'])
  }
  read.method = method ?? 'GET'
  return { question: read, ignored }
}

/** The same request as a command, which reads as it was written. */
export function toCurl(question: Question): string {
  const { url, method, headers, client, certificate, bodySize } = question
  const words = [
    'curl',
    ...(method === 'HEAD' ? ['-I'] : method === 'GET' ? [] : ['-X', method]),
    ...headers.flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
    ...(client ? ['--interface', client] : []),
    ...(certificate ? ['--cert', 'client.pem'] : []),
    ...(bodySize > 0 ? ['-d', 'x'.repeat(Math.min(bodySize, 1000))] : []),
    url,
  ]
  return words.map(quoted).join(' ')
}

function quoted(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)))
}

/** The words of a command, as a POSIX shell finds them; nothing is expanded. */
function wordsOf(text: string): string[] {
  const words: string[] = []
  let word: string | null = null
  for (let at = 0; at < text.length; at++) {
    const letter = text.charAt(at)
    if (/\s/.test(letter)) {
      if (word !== null) words.push(word)
      word = null
    } else if (letter === "'") {
      const end = text.indexOf("'", at + 1)
      if (end < 0) throw new Error('A quotation mark has no end.')
      word = (word ?? '') + text.slice(at + 1, end)
      at = end
    } else if (letter === '"') {
      word ??= ''
      for (at++; text.charAt(at) !== '"'; at++) {
        if (at >= text.length) throw new Error('A quotation mark has no end.')
        if (text.charAt(at) === '\\' && /["\\$`\n]/.test(text.charAt(at + 1))) at++
        word += text.charAt(at)
      }
    } else if (letter === '\\') {
      at++
      // A line that ends with a backslash goes on.
      if (text.charAt(at) !== '\n') word = (word ?? '') + text.charAt(at)
    } else word = (word ?? '') + letter
  }
  return word === null ? words : [...words, word]
}
