/** How a connection of an event stream ended, in words for one and for many. */
export const CONNECTION_END = {
  request: {
    one: 'The upstream closed the connection, as it had announced with `retry:`,',
    many: 'closed as announced with `retry:`',
  },
  upstream: { one: 'The upstream closed the connection', many: 'closed by the upstream' },
  reset: { one: 'The connection broke', many: 'broke' },
  silence: { one: 'The connection was closed because the upstream was silent,', many: 'closed for silence' },
} as const satisfies Record<string, { one: string; many: string }>

export type ConnectionEnd = keyof typeof CONNECTION_END
export const CONNECTION_ENDS = Object.keys(CONNECTION_END) as ConnectionEnd[]

/** Attempts to connect since they are counted, and what became of them. */
export interface ConnectionCounts {
  /** Requests for the stream. */
  attempts: number
  /** Those that were answered with an event stream. */
  opened: number
  /** Connections that ended without a failure, by how. */
  ended: Partial<Record<ConnectionEnd, number>>
  /** Attempts and connections that failed. */
  failed: number
}

export const NO_CONNECTIONS: ConnectionCounts = { attempts: 0, opened: 0, ended: {}, failed: 0 }

/** The data of an `end` entry: one connection, or several that ended soon after each other. */
export interface EndedConnections {
  count: number
  by: Partial<Record<ConnectionEnd, number>>
  /** When the first and the last of them ended; ISO 8601. */
  from: string
  to: string
  /** How long they lasted, what they brought, all together. */
  lastedMs: number
  events: number
  receivedBytes: number
}
