import type { Json } from '../../../core/documents/document.ts'
import { parseJson, stringifyJson } from '../../../core/documents/json.ts'
import { isSocketUrl } from '../../../core/sets/stream-kinds.ts'
import { createSseParser, type SseConfig } from '../../content/sse-parser.ts'
import { idReader } from '../connection/event-ids.ts'
import { type Format, followConnection, type ReceivedEvent } from '../connection/follow-connection.ts'
import { httpFormat, type Parser } from '../connection/http-wire.ts'
import type { Follow } from '../followers.ts'
import type { Stream } from '../run.ts'
import { UpstreamError } from '../upstream.ts'
import type { Heard } from './dialogue.ts'
import { type DialogueOf, filled, socketWire } from './follow-websocket.ts'

/** @see https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverWebSocket.md */
const PROTOCOL = 'graphql-transport-ws'
/** The only subscription of a connection. */
const ID = '1'
/** Name of an event with errors. */
const ERRORS = 'errors'
const MAX_MESSAGE_CHARS = 500
const CLOSE_WORDS: Readonly<Record<number, string>> = {
  4400: 'bad request',
  4401: 'unauthorized',
  4403: 'forbidden',
  4406: 'subprotocol not acceptable',
  4408: 'connection initialization timeout',
  4409: 'subscriber already exists',
  4429: 'too many initialization requests',
}

/** Server-sent events, one subscription a connection. @see https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverSSE.md */
const OVER_SSE = httpFormat({
  kind: 'sse',
  endOfEvent: /(?:\n\n|\r\n\r\n|\r\r)$/,
  headers: { 'Content-Type': 'application/json' },
  parser: resultParser,
  resuming(id, _request, stream) {
    const body = resumed(stream, id)
    return body === undefined ? undefined : { body }
  },
})

export const GRAPHQL: Format = {
  kind: 'graphql',
  wire: (stream, on) =>
    isSocketUrl(stream.url)
      ? socketWire(stream, on, PROTOCOL, subscription(stream))
      : OVER_SSE.wire(stream, on),
}

/** Follows a GraphQL subscription, over a WebSocket or server-sent events. */
export const followGraphql: Follow = (...run) => followConnection(GRAPHQL, ...run)

/** Results are events; the upstream must acknowledge the connection first. */
export function subscription(stream: Stream): DialogueOf {
  const idOf = idReader(stream)
  return (lastEventId) => {
    const resumes = lastEventId === '' ? undefined : resumed(stream, lastEventId)
    const request = resumes ?? stream.body ?? '{}'
    const { init } = stream.messages ?? {}
    let isAgreed = false
    const answers: Record<string, (payload: Json | undefined) => Heard> = {
      connection_ack() {
        if (isAgreed) return {}
        isAgreed = true
        return { replies: [`{"id":"${ID}","type":"subscribe","payload":${request}}`] }
      },
      ping: () => ({ replies: ['{"type":"pong"}'] }),
      pong: () => ({}),
      next: (payload = null) => ({ event: resultEvent(stringifyJson(payload), hasErrors(payload), idOf) }),
      error: (payload = null) => ({
        event: resultEvent(stringifyJson(payload), true, idOf),
        fault: new UpstreamError('closed', `The upstream refused the subscription${messageIn(payload)}.`),
      }),
      complete: () => ({ isOver: true }),
    }
    return {
      opening: [`{"type":"connection_init"${init === undefined ? '' : `,"payload":${init}`}}`],
      isResumed: resumes !== undefined,
      closeWords: CLOSE_WORDS,
      isAgreed: () => isAgreed,
      hear(message) {
        const said = message.kind === 'text' ? messageOf(message.text) : undefined
        const answer = said && Object.hasOwn(answers, said.type) ? answers[said.type] : undefined
        if (said === undefined || answer === undefined) {
          return { fault: new UpstreamError('bad_json', `The upstream sent no message of ${PROTOCOL}.`) }
        }
        return answer(said.payload)
      },
    }
  }
}

/** The results in server-sent events. */
function resultParser(config: SseConfig, stream: Stream): Parser {
  const idOf = idReader(stream)
  let isOver = false
  const parser = createSseParser({
    ...config,
    onEvent({ event, data }) {
      if (isOver) return
      if (event === 'complete') isOver = true
      else {
        const result = resultEvent(data, hasErrors(parsed(data)), idOf)
        if (result.id !== undefined) config.onId?.(result.id)
        config.onEvent?.(result)
      }
    },
    // IDs and names of the transport aren't those of results.
    onId: () => {},
    onLarge: (large) => config.onLarge({ ...large, id: undefined, event: undefined }),
  })
  return {
    feed: (text) => parser.feed(text),
    reset() {
      isOver = false
      parser.reset()
    },
    get isOver() {
      return isOver
    },
  }
}

function resultEvent(
  data: string,
  isFailed: boolean,
  idOf: (data: string) => string | undefined,
): ReceivedEvent {
  return { id: idOf(data), event: isFailed ? ERRORS : undefined, data }
}

/** The subscription that asks for what follows an event; undefined if the stream has none. */
function resumed({ messages }: Stream, id: string): string | undefined {
  return messages?.resume ? filled(messages.resume, id).join('\n') : undefined
}

function messageOf(text: string): { type: string; payload: Json | undefined } | undefined {
  const message = parsed(text)
  if (typeof message !== 'object' || message === null || Array.isArray(message)) return undefined
  const { type, payload } = message as { type?: unknown; payload?: Json }
  return typeof type === 'string' ? { type, payload } : undefined
}

function parsed(text: string): Json | undefined {
  try {
    return parseJson(text)
  } catch {
    return undefined
  }
}

function hasErrors(result: Json | undefined): boolean {
  return typeof result === 'object' && result !== null && 'errors' in result
}

/** What the first of some errors says, as the end of a sentence. */
function messageIn(errors: Json): string {
  const [first] = Array.isArray(errors) ? errors : []
  const { message } = (first ?? {}) as { message?: unknown }
  return typeof message === 'string' ? `: ${message.slice(0, MAX_MESSAGE_CHARS)}` : ''
}
