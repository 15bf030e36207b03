// Colours for configurations of HAProxy: sections, keywords, conditions, expressions, units.

import { StreamLanguage, type StreamParser } from '@codemirror/language'

const SECTION =
  /^(?:global|defaults|frontend|backend|listen|peers|resolvers|userlist|cache|mailers|program|ring|http-errors|fcgi-app|crt-store|log-forward|log-profile|traces|acme)\b/
const CONDITION = /^(?:if|unless|or)(?=\s|$)/
const CONSTANT = /^(?:true|false|on|off|yes|no|ok|enabled|disabled)(?=\s|$)/

interface Position {
  /** What the next word on the line is. */
  expect: 'keyword' | 'name' | 'rest'
}

const parser: StreamParser<Position> = {
  name: 'haproxy',
  startState: () => ({ expect: 'keyword' }),
  token(stream, position) {
    if (stream.sol()) {
      position.expect = 'keyword'
      if (stream.match(SECTION)) {
        position.expect = 'name'
        return 'heading'
      }
    }
    if (stream.eatSpace()) return null
    if (stream.peek() === '#') {
      stream.skipToEnd()
      return 'comment'
    }
    if (position.expect === 'keyword') {
      position.expect = 'rest'
      stream.match(/^[^\s#]+/)
      return 'keyword'
    }
    if (position.expect === 'name') {
      position.expect = 'rest'
      stream.match(/^[^\s#]+/)
      return 'className'
    }
    if (stream.match(/^"(?:[^"\\]|\\.)*"?/) || stream.match(/^'[^']*'?/)) return 'string'
    if (stream.match(/^%?\[[^\]]*\]/)) return 'variableName'
    if (stream.match(CONDITION)) return 'operator'
    if (stream.match(/^[{}!|]{1,2}(?=\s|$)/)) return 'operator'
    if (stream.match(CONSTANT)) return 'bool'
    if (stream.match(/^\d+(?:us|ms|[smhdkKMG])?(?=\s|$)/)) return 'number'
    if (stream.match(/^-[mifMn](?=\s)/)) return 'meta'
    if (stream.match(/^(?:[a-z0-9_-]+\.)?[a-z_][a-z0-9_.]*(?=\()/i)) return 'variableName'
    stream.match(/^(?:\\.|[^\s"'])+/) || stream.next()
    return null
  },
}

export const haproxy = StreamLanguage.define(parser)
