import { createParser } from 'eventsource-parser'
import { type Format, followConnection } from './follow-connection.ts'
import type { Follow } from './followers.ts'

const SSE: Format = { kind: 'sse', parser: createParser }

/** Follows a stream of server-sent events. */
export const followSse: Follow = (...run) => followConnection(SSE, ...run)
