import { createSseParser } from '../../content/sse-parser.ts'
import type { Follow } from '../followers.ts'
import { followConnection } from './follow-connection.ts'
import { httpFormat } from './http-wire.ts'

const SSE = httpFormat({
  kind: 'sse',
  // An event, or a comment between two, ends with a blank line.
  endOfEvent: /(?:\n\n|\r\n\r\n|\r\r)$/,
  parser: createSseParser,
  // Header values are bytes: the ID is sent as UTF-8, as the HTML standard requires.
  resuming: (id) => ({ headers: { 'Last-Event-ID': Buffer.from(id, 'utf8').toString('latin1') } }),
})

/** Follows a stream of server-sent events. */
export const followSse: Follow = (...run) => followConnection(SSE, ...run)
