import { expect, test } from 'bun:test'
import { sha256 } from '../../src/core/documents/document.ts'
import { jsonLines } from '../../src/streams/ingest/connection/json-lines.ts'

const MAX_CHARS = 40

/** What the parser finds in a text that comes in these pieces. */
function found(pieces: readonly string[], idOf?: (data: string) => string | undefined, isOver = false) {
  const events: string[] = []
  const ids: string[] = []
  const large: string[] = []
  const parser = jsonLines(
    {
      maxChars: MAX_CHARS,
      onEvent: ({ data, id }) => events.push(id === undefined ? data : `${id}: ${data}`),
      onId: (id) => ids.push(id),
      onLarge: ({ bytes, hash }) => large.push(`${bytes} ${hash}`),
    },
    idOf,
  )
  for (const piece of pieces) parser.feed(piece)
  if (isOver) parser.end?.()
  parser.reset()
  return { events, ids, large }
}

const LONG = 'x'.repeat(MAX_CHARS + 1)

test.each<[what: string, text: string, events: string[], large?: string]>([
  ['lines', '{"a":1}\n[2]\n"three"\n', ['{"a":1}', '[2]', '"three"']],
  ['CRLF', '{"a":1}\r\n{"a":2}\r\n', ['{"a":1}', '{"a":2}']],
  ['a byte order mark, once', '\uFEFF1\n\uFEFF2\n', ['1', '\uFEFF2']],
  ['blank lines are heartbeats', '\n\r\n  \n1\n\n', ['1']],
  ['what is no JSON is text', 'hello\n{"a":\n}\n', ['hello', '{"a":', '}']],
  ['the last line, if it is whole', '1\n{"a":', ['1']],
  ['a line of the longest length', `${'x'.repeat(MAX_CHARS)}\n`, ['x'.repeat(MAX_CHARS)]],
  ['a line that is too long costs only itself', `1\n${LONG}${LONG}\n2\n`, ['1', '2'], `${LONG}${LONG}`],
  ['a sequence', '\u001E{"a":1}\n\u001E2\n', ['{"a":1}', '2']],
  ['a record over several lines', '\u001E{\n "a": [\n1]\n}\n\u001E3\n', ['{\n "a": [\n1]\n}', '3']],
  ['brackets in a string are none', '\u001E"[\\"{"\n\u001E4\n', ['"[\\"{"', '4']],
  ['a record that was cut off ends where the next begins', '\u001E{"a":\u001E5\n', ['{"a":', '5']],
  [
    'a record that is too long is skipped with all its lines',
    `\u001E{"a":\n"${LONG}",\n"b":1}\n\u001E6\n`,
    ['6'],
    `{"a":\n"${LONG}",\n"b":1}`,
  ],
])('%s', (_what, text, events, long = '') => {
  const large = long === '' ? [] : [`${long.length} ${sha256(long)}`]
  expect(found([text])).toMatchObject({ events, large })
  expect(found([...text])).toMatchObject({ events, large })
})

test.each<[what: string, text: string, events: string[], long: string | undefined]>([
  ['JSON without a line feed', '1\n{"a":2}', ['1', '{"a":2}'], undefined],
  ['text without a line feed', '1\ntwo\r', ['1', 'two'], undefined],
  ['nothing', '1\n  ', ['1'], undefined],
  ['half a document', '1\n{"a":', ['1'], undefined],
  ['half a text', '1\n"a', ['1'], undefined],
  ['a record of a sequence', '\u001E{"a":\n1}', ['{"a":\n1}'], undefined],
  ['half a record of a sequence', '\u001E1\n\u001E{"a":\n1', ['1'], undefined],
  ['a line that is too long', `1\n${LONG}`, ['1'], LONG],
])('what is left when nothing follows is a line, too: %s', (_what, text, events, long) => {
  const large = long === undefined ? [] : [`${long.length} ${sha256(long)}`]
  expect(found([text], undefined, true)).toMatchObject({ events, large })
  expect(found([...text], undefined, true)).toMatchObject({ events, large })
})

test('a line that never ends is given up, once, without a hash; so is one that is broken off', () => {
  const pieces = Array.from({ length: 20 }, () => LONG)
  expect(found(['1\n', ...pieces])).toEqual({
    events: ['1'],
    ids: [],
    large: [`${8 * LONG.length} undefined`],
  })
  expect(found(['1\n', LONG])).toEqual({ events: ['1'], ids: [], large: [`${LONG.length} undefined`] })
})

test('an event has the ID that its line has, and keeps it for the next connection', () => {
  const idOf = (data: string) => /id=(\d+)/.exec(data)?.[1]
  expect(found(['id=7\nnone\nid=8\n'], idOf)).toMatchObject({
    events: ['7: id=7', 'none', '8: id=8'],
    ids: ['7', '8'],
  })
})
