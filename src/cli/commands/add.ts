import { answerOf } from '../../client/client.ts'
import { type Command, EXIT, type Given, UsageError } from '../command.ts'
import { durationMs } from '../durations.ts'
import { say, sayJson } from '../print.ts'

export const add: Command = {
  summary: 'Registers an API and follows it',
  takes: '<url>',
  min: 1,
  max: 1,
  options: {
    name: { value: 'NAME', help: 'what it is called; else host and path of the URL' },
    kind: {
      value: 'KIND',
      choices: ['sse', 'poll', 'auto'],
      help: 'sse, poll, or auto: asks the API once (auto)',
    },
    interval: { value: 'DURATION', help: 'between two polls, such as 500ms, 30s, 1h (60s)' },
    tag: { short: 't', value: 'TAG', multiple: true, help: 'a tag' },
    method: {
      short: 'X',
      value: 'METHOD',
      choices: ['GET', 'POST', 'PUT'],
      help: 'what it is asked with (GET)',
    },
    header: { short: 'H', value: "'NAME: VALUE'", multiple: true, help: 'sent with every request' },
    body: { short: 'd', value: 'TEXT', help: 'sent with every request; with POST, unless --method says PUT' },
    'json-pointer': { value: 'POINTER', help: 'the part of the document to follow, such as /data' },
    start: { help: 'follows it at once, as is done anyway' },
    'no-start': { help: 'only registers it' },
    twin: { help: 'polls and streams it, to measure both side by side' },
  },
  examples: [
    'weir add https://api.example.com/prices --interval 5s --tag shop',
    "weir add https://api.example.com/events --kind sse -H 'Authorization: Bearer secret'",
    `weir add https://api.example.com/graphql -H 'Content-Type: application/json' --body '{"query":"{ prices }"}'`,
  ],
  async run(given, io) {
    const { client } = io
    const stream = await answerOf(client.url, client.api.streams.post(registration(given)))
    if (given.has('json')) await sayJson(io, stream)
    else {
      const what = stream.desired === 'running' ? 'Weir follows it' : 'it is not started'
      await say(io, `Added "${stream.name}" (${stream.kind}), id ${stream.id}; ${what}.`)
    }
    return EXIT.ok
  },
}

function registration(given: Given) {
  if (given.has('start') && given.has('no-start')) throw new UsageError(['--start and --no-start: give one'])
  const kind = given.text('kind')
  const name = given.text('name')
  const pointer = given.text('json-pointer')
  const intervalMs = interval(given.text('interval'))
  const body = given.text('body')
  const method = methodOf(given.text('method'), body)
  return {
    url: given.args[0] as string,
    ...((kind === 'sse' || kind === 'poll') && { kind: kind as 'sse' | 'poll' }),
    ...(name !== undefined && { name }),
    ...(intervalMs !== undefined && { intervalMs }),
    ...(method !== undefined && { method }),
    ...(body !== undefined && { body }),
    ...(pointer !== undefined && { payloadPointer: pointer }),
    ...(given.has('tag') && { tags: [...given.texts('tag')] }),
    ...(given.has('header') && { headers: headers(given.texts('header')) }),
    ...(given.has('no-start') && { start: false }),
    ...(given.has('twin') && { twin: true }),
  }
}

/** As curl has it: what has a body is a POST. */
function methodOf(text: string | undefined, body: string | undefined) {
  if (text === 'GET' && body !== undefined) {
    throw new UsageError(['--body: GET sends none; give --method POST or PUT'])
  }
  return text === undefined && body !== undefined ? 'POST' : (text as 'GET' | 'POST' | 'PUT' | undefined)
}

export function interval(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = durationMs(text)
  if (ms === undefined) throw new UsageError([`--interval: expected a duration such as 30s, got "${text}"`])
  return ms
}

/** What stands behind the first colon is a secret, maybe: it isn't repeated. */
export function headers(texts: readonly string[]): Record<string, string> {
  const pairs = texts.map((text) => {
    const match = /^([^:\s]+):\s*(.*)$/s.exec(text)
    if (match === null) throw new UsageError(["--header: expected 'NAME: VALUE'"])
    return [match[1], match[2]] as [string, string]
  })
  return Object.fromEntries(pairs)
}
