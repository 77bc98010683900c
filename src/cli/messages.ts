import { type Command, type Given, UsageError } from './command.ts'
import { durationMs } from './durations.ts'

export const MESSAGES_OPTIONS = {
  'first-message': {
    value: 'TEXT',
    multiple: true,
    help: 'message to send once a WebSocket is open',
  },
  'resume-message': {
    value: 'TEXT',
    help: 'sent instead to resume, with {lastEventId}; for ndjson, a query such as since={lastEventId}',
  },
  init: { value: 'JSON', help: 'payload of connection_init in a GraphQL subscription' },
  'id-pointer': { value: 'POINTER', help: 'JSON Pointer to the ID in an event, such as /id' },
  ping: { value: 'DURATION', help: 'time between two pings of a WebSocket; 0s: none (default: 20s)' },
  subprotocol: { value: 'NAME', help: 'subprotocol of a WebSocket' },
} satisfies Command['options']

/** What is sent on the connection, as far as the options say. @throws UsageError */
export function messages(given: Given) {
  const first = given.texts('first-message')
  const [resume, init] = [given.text('resume-message'), given.text('init')]
  const [idPointer, protocol] = [given.text('id-pointer'), given.text('subprotocol')]
  const ping = given.text('ping')
  const said = {
    ...(first.length > 0 && { first: first.join('\n') }),
    ...(resume !== undefined && { resume }),
    ...(init !== undefined && { init }),
    ...(idPointer !== undefined && { idPointer }),
    ...(ping !== undefined && { pingMs: pingOf(ping) }),
    ...(protocol !== undefined && { protocol }),
  }
  return Object.keys(said).length === 0 ? {} : { messages: said }
}

function pingOf(text: string): number {
  if (/^0(s|ms)?$/.test(text)) return 0
  const ms = durationMs(text)
  if (ms === undefined) throw new UsageError([`--ping: expected a duration such as 20s, got "${text}"`])
  return ms
}
