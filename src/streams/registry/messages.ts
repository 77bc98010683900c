import { Type } from '@sinclair/typebox'
import type { Messages } from '../../../drizzle/schema.ts'
import { parsePointer } from '../../core/documents/pointer.ts'
import { HIDDEN } from '../../core/hidden.ts'
import { HOUR_MS } from '../../core/time.ts'
import { Problem } from '../../errors.ts'
import type { Stream } from '../ingest/run.ts'

/** Longest text that is sent, in characters. */
const MAX_MESSAGE_CHARS = 65_536
/** Shortest time between two pings, in milliseconds, unless there are none. */
const MIN_PING_MS = 1_000
/** What may contain credentials: never returned, like the values of headers. */
export const SECRET_MESSAGES = ['first', 'resume', 'init'] as const

const text = (description: string) =>
  Type.Optional(Type.String({ maxLength: MAX_MESSAGE_CHARS, description }))

/** What a registration takes. */
export const MessagesSchema = Type.Union(
  [
    Type.Object(
      {
        first: text('Messages sent once a WebSocket is open, one per line; never returned'),
        resume: text(
          'Messages sent instead of these to resume, with `{lastEventId}`; for JSON lines, a query such as `since={lastEventId}`; never returned',
        ),
        init: text('JSON sent as the payload of `connection_init` in a GraphQL subscription; never returned'),
        idPointer: Type.Optional(
          Type.String({ maxLength: 1_024, description: 'JSON Pointer (RFC 6901) to the ID in an event' }),
        ),
        pingMs: Type.Optional(
          Type.Integer({
            minimum: 0,
            maximum: HOUR_MS,
            description: 'Time between two pings of a WebSocket, in milliseconds; 0: none; default: 20000',
          }),
        ),
        protocol: Type.Optional(
          Type.String({
            maxLength: 200,
            pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
            description: 'Subprotocol of a WebSocket',
          }),
        ),
      },
      { additionalProperties: false, minProperties: 1 },
    ),
    Type.Null(),
  ],
  { description: 'What is sent on the connection, and where the IDs of events are; null: nothing' },
)

/**
 * Checks what a schema can't express.
 * @param mayHide whether texts may be the placeholder of a hidden one
 * @throws Problem `invalid_field`
 */
export function checkMessages(messages: Messages, mayHide: boolean): void {
  const refuse = (name: keyof Messages, detail: string) =>
    new Problem('invalid_field', detail, `messages.${name}`)
  const { idPointer, pingMs, init } = messages
  if (idPointer !== undefined && parsePointer(idPointer) === undefined) {
    throw refuse('idPointer', `"${idPointer.slice(0, 200)}" isn't a JSON Pointer. It must start with "/".`)
  }
  if (pingMs !== undefined && pingMs > 0 && pingMs < MIN_PING_MS) {
    throw refuse('pingMs', `messages.pingMs: expected 0, or a number from ${MIN_PING_MS} to ${HOUR_MS}.`)
  }
  const hidden = SECRET_MESSAGES.find((name) => messages[name] === HIDDEN)
  if (hidden !== undefined && !mayHide) {
    throw refuse(hidden, `The value of messages.${hidden} is hidden. Set it, or export with secrets=true.`)
  }
  if (init !== undefined && init !== HIDDEN && !isJson(init)) throw refuse('init', "init isn't JSON.")
}

/** Messages as they are shown. */
export function shownMessages(messages: Stream['messages']): Stream['messages'] {
  if (messages === null) return null
  const hidden = SECRET_MESSAGES.filter((name) => messages[name] !== undefined).map((name) => [name, HIDDEN])
  return { ...messages, ...Object.fromEntries(hidden) }
}

/**
 * The messages after a change. A placeholder keeps the stored text, but not for another origin, which drops all texts
 * that aren't given again.
 * @returns undefined if they stay, and the names of those that are dropped
 * @throws Problem `invalid_field` for a placeholder of a text that the stream doesn't have
 */
export function changedMessages(
  stored: Stream['messages'],
  given: Stream['messages'] | undefined,
  isElsewhere: boolean,
): { messages?: Stream['messages']; dropped: string[] } {
  if (given === undefined && (!isElsewhere || stored === null)) return { dropped: [] }
  const kept: Messages = { ...(given === undefined ? shownMessages(stored) : given) }
  const dropped: string[] = []
  for (const name of SECRET_MESSAGES) {
    if (kept[name] !== HIDDEN) continue
    const same = stored?.[name]
    if (same === undefined) {
      const detail = `The stream has no stored value for messages.${name}. Set its value.`
      throw new Problem('invalid_field', detail, `messages.${name}`)
    }
    if (isElsewhere) {
      delete kept[name]
      dropped.push(`messages.${name}`)
    } else kept[name] = same
  }
  return { messages: Object.keys(kept).length === 0 ? null : kept, dropped }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
