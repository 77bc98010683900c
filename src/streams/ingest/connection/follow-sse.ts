import { createParser } from 'eventsource-parser'
import type { Follow } from '../followers.ts'
import { type Format, followConnection } from './follow-connection.ts'

const SSE: Format = { kind: 'sse', parser: createParser }

/** Follows a stream of server-sent events. */
export const followSse: Follow = (...run) => followConnection(SSE, ...run)
