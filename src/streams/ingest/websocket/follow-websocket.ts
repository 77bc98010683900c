import { isSocketUrl } from '../../../core/sets/stream-kinds.ts'
import { directFetch } from '../../../net/direct.ts'
import { Egress, type EgressConnect } from '../../../net/egress.ts'
import { idReader } from '../connection/event-ids.ts'
import { type Format, followConnection, type Handlers, type Wire } from '../connection/follow-connection.ts'
import type { Follow } from '../followers.ts'
import type { Stream } from '../run.ts'
import {
  askUpstream,
  statusError,
  type UpstreamAnswer,
  UpstreamError,
  type UpstreamFetch,
} from '../upstream.ts'
import { binaryEvent, type Dialogue } from './dialogue.ts'
import { type Opened, socketFetch } from './handshake.ts'
import { SocketSource } from './socket-source.ts'

/** Time between two pings unless the stream has another, in milliseconds: shorter than the silence that is allowed. */
export const PING_MS = 20_000

/** Makes what is said on each socket of a stream. */
export type DialogueOf = (lastEventId: string) => Dialogue

/** A kind whose connections are WebSockets. */
export function socketWire(
  { messages }: Stream,
  on: Handlers,
  protocol: string | undefined,
  dialogueOf: DialogueOf,
): Wire {
  const sources = new WeakMap<UpstreamAnswer, () => SocketSource>()
  return {
    async ask({
      request,
      lastEventId,
      limits,
      signal,
      fetch: plain = directFetch,
      connect = openConnect,
      means,
    }) {
      let open: Opened | undefined
      const handshake = socketFetch(connect, protocol, (opened) => {
        open = opened
      })
      // What it signs in with may have to be requested first.
      const fetch: UpstreamFetch = (url, init) => (isSocketUrl(url) ? handshake : plain)(url, init)
      const asked = { ...request, method: 'GET', body: null }
      const answer = await askUpstream(asked, {}, limits, signal, fetch, means)
      const dialogue = dialogueOf(lastEventId)
      const opened = open
      if (opened !== undefined) {
        const pingMs = messages?.pingMs ?? PING_MS
        sources.set(
          answer,
          () => new SocketSource(opened, dialogue, on, limits, { pingMs, hide: answer.hide }),
        )
      }
      return { answer, isResumed: dialogue.isResumed }
    },
    refusal(answer, nowMs) {
      const { status, statusText } = answer.response
      if (status === 101) return undefined
      const message = `The upstream returned ${`${status} ${statusText}`.trim()}, not 101 Switching Protocols.`
      return statusError(answer, nowMs) ?? new UpstreamError('bad_status', message)
    },
    source(answer) {
      const source = sources.get(answer)
      if (source === undefined) throw new Error('The answer has opened no WebSocket')
      return source()
    },
  }
}

export const WEBSOCKET: Format = {
  kind: 'websocket',
  wire: (stream, on) => socketWire(stream, on, stream.messages?.protocol, dialogueFor(stream)),
}

/** Follows a WebSocket. */
export const followWebsocket: Follow = (...run) => followConnection(WEBSOCKET, ...run)

/** Every message is an event. */
export function dialogueFor(stream: Stream): DialogueOf {
  const { first, resume } = stream.messages ?? {}
  const idOf = idReader(stream)
  return (lastEventId) => {
    const isResumed = lastEventId !== '' && Boolean(resume)
    return {
      opening: isResumed ? filled(resume ?? '', lastEventId) : linesOf(first ?? ''),
      isResumed,
      hear(message) {
        if (message.kind === 'binary') return { event: binaryEvent(message.data) }
        return { event: { id: idOf(message.text), event: undefined, data: message.text } }
      },
    }
  }
}

function linesOf(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line.trim() !== '')
}

/** The messages of a template with an ID; within JSON, as the inside of a string. */
export function filled(template: string, id: string): string[] {
  return linesOf(template).map((line) => {
    const text = /^\s*[[{]/.test(line) ? JSON.stringify(id).slice(1, -1) : id
    return line.replaceAll('{lastEventId}', () => text)
  })
}

/** Where every destination is allowed. */
const openConnect: EgressConnect = (...asked) =>
  new Egress({ allowHosts: [], isOpen: true }).connect(...asked)
