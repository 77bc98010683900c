import { createSseParser } from '../content/sse-parser.ts'
import { type Format, followConnection } from './follow-connection.ts'
import type { Follow } from './followers.ts'

const SSE: Format = { kind: 'sse', parser: createSseParser }

/** Follows a stream of server-sent events. */
export const followSse: Follow = (...run) => followConnection(SSE, ...run)
