import { answerOf } from '../../client/client.ts'
import { PLAIN_FIELDS, type PlainValues } from '../../core/sets/stream-fields.ts'
import { isStreamKind, STREAM_KINDS } from '../../core/sets/stream-kinds.ts'
import { type Command, EXIT, type Given, UsageError } from '../command.ts'
import { DEAD_AFTER_OPTIONS, deadAfter } from '../dead-after.ts'
import { durationMs } from '../durations.ts'
import { MESSAGES_OPTIONS, messages } from '../messages.ts'
import { say, sayJson } from '../print.ts'
import { REQUEST_OPTIONS, requestOptions } from '../request-options.ts'

export const add: Command = {
  summary: 'Add a stream for an API',
  takes: '<url>',
  min: 1,
  max: 1,
  options: {
    name: { value: 'NAME', help: 'name (default: host and path of the URL)' },
    kind: {
      value: 'KIND',
      choices: [...STREAM_KINDS, 'auto'],
      help: `${STREAM_KINDS.join(', ')}, or auto to detect it with one request (default: auto)`,
    },
    interval: { value: 'DURATION', help: 'polling interval, such as 500ms, 30s or 1h (default: 60s)' },
    method: {
      short: 'X',
      value: 'METHOD',
      choices: ['GET', 'POST', 'PUT'],
      help: 'HTTP method (default: GET)',
    },
    header: { short: 'H', value: "'NAME: VALUE'", multiple: true, help: 'request header' },
    body: { short: 'd', value: 'TEXT', help: 'request body; implies POST unless --method is PUT' },
    ...REQUEST_OPTIONS,
    ...plainOptions(),
    ...DEAD_AFTER_OPTIONS,
    ...MESSAGES_OPTIONS,
    resumes: { help: 'the upstream sends everything after Last-Event-ID: no gap without proof' },
    start: { help: 'start immediately (default)' },
    'no-start': { help: "don't start" },
    twin: { help: 'also add a streaming twin, to compare polling with streaming' },
  },
  examples: [
    'weir add https://api.example.com/prices --interval 5s --tag shop',
    "weir add https://api.example.com/events --kind sse -H 'Authorization: Bearer secret'",
    `weir add wss://api.example.com/feed --first-message '{"op":"subscribe"}' --id-pointer /seq`,
    `weir add https://api.example.com/graphql -H 'Content-Type: application/json' --body '{"query":"{ prices }"}'`,
  ],
  async run(given, io) {
    const { client } = io
    const stream = await answerOf(client.url, client.api.streams.post(await registration(given)))
    if (given.has('json')) await sayJson(io, stream)
    else {
      const what = stream.desired === 'running' ? 'started' : 'not started'
      await say(io, `Added "${stream.name}" (${stream.kind}), ID ${stream.id}, ${what}.`)
      if (stream.kindReason !== undefined) await say(io, stream.kindReason)
      if (stream.pushUrl !== undefined) await say(io, `Push to ${stream.pushUrl}, which isn't shown again.`)
    }
    return EXIT.ok
  },
}

async function registration(given: Given) {
  if (given.has('start') && given.has('no-start')) throw new UsageError(['use either --start or --no-start'])
  const kind = given.text('kind')
  const name = given.text('name')
  const intervalMs = interval(given.text('interval'))
  const body = given.text('body')
  const method = methodOf(given.text('method'), body)
  return {
    url: given.args[0] as string,
    ...(isStreamKind(kind) && { kind }),
    ...(name !== undefined && { name }),
    ...(intervalMs !== undefined && { intervalMs }),
    ...(method !== undefined && { method }),
    ...(body !== undefined && { body }),
    ...plainValues(given),
    ...(given.has('header') && { headers: headers(given.texts('header')) }),
    ...(await requestOptions(given)),
    ...deadAfter(given),
    ...messages(given),
    ...(given.has('resumes') && { resumes: true }),
    ...(given.has('no-start') && { start: false }),
    ...(given.has('twin') && { twin: true }),
  }
}

/** The options of plain fields that have one. */
function plainOptions(): Command['options'] {
  const options = PLAIN_FIELDS.flatMap(({ option, type }) => {
    if (option === undefined) return []
    const { name, ...said } = option
    return [[name, { ...said, ...(type === 'list' && { multiple: true }) }] as const]
  })
  return Object.fromEntries(options)
}

function plainValues(given: Given): Partial<PlainValues> {
  const values = PLAIN_FIELDS.flatMap(({ name, option, type }) => {
    if (option === undefined || !given.has(option.name)) return []
    return [[name, type === 'list' ? [...given.texts(option.name)] : given.text(option.name)] as const]
  })
  return Object.fromEntries(values)
}

/** As in curl, a body implies POST. */
function methodOf(text: string | undefined, body: string | undefined) {
  if (text === 'GET' && body !== undefined) {
    throw new UsageError(['--body: not allowed with GET; use --method POST or PUT'])
  }
  return text === undefined && body !== undefined ? 'POST' : (text as 'GET' | 'POST' | 'PUT' | undefined)
}

export function interval(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = durationMs(text)
  if (ms === undefined) throw new UsageError([`--interval: expected a duration such as 30s, got "${text}"`])
  return ms
}

/** The error leaves out the text: the value may be a secret. */
export function headers(texts: readonly string[]): Record<string, string> {
  const pairs = texts.map((text) => {
    const match = /^([^:\s]+):\s*(.*)$/s.exec(text)
    if (match === null) throw new UsageError(["--header: expected 'NAME: VALUE'"])
    return [match[1], match[2]] as [string, string]
  })
  return Object.fromEntries(pairs)
}
