/** The hidden command that starts a server; the way follows. */
export const BENCH_SERVER = '__bench-server'

/** Ways of polling: those of the savings. */
export const POLL_WAYS = ['plain', 'gzip', 'conditional'] as const
export type PollWay = (typeof POLL_WAYS)[number]

/** Servers, each a process. */
export const SERVER_KINDS = ['polling', 'streaming'] as const
export type ServerKind = (typeof SERVER_KINDS)[number]

/** The documents, oldest first; asked once, before anything else. */
export interface Load {
  do: 'load'
  documents: readonly string[]
  arrayKeys: readonly string[]
}

/** Prepares for polls; answered at once, because no poll may arrive earlier. */
export interface Serve {
  do: 'serve'
  way: PollWay
  clients: number
  /** Polls of each client, the first included. */
  polls: number
  /** The poll from which on each document is current. */
  foundAt: readonly number[]
}

export type PollingAsk =
  | Serve
  /** Waits until every client has sent all of its polls. */
  | { do: 'served' }

export type StreamingAsk =
  /** Prepares for so many subscribers; answered at once. */
  | { do: 'connect'; clients: number }
  /** Waits until all of them have been sent the first document. */
  | { do: 'connected' }
  /** Sends the change to each further document, one every so many milliseconds. */
  | { do: 'send'; everyMs: number }
  | { do: 'beat'; times: number; everyMs: number }
  /** Ends every subscription. */
  | { do: 'end' }

export type Ask = Load | PollingAsk | StreamingAsk

/** The answer to everything. */
export interface Measured {
  /** Of the server's process, user and system, from begin to end. */
  cpuMs: number
  /** The part of it that is needed once, for any number of clients. */
  onceMs?: number
  /** Where it listens (`load`). */
  url?: string
  /** Of the polls answered (`served`). */
  notModified?: number
}

/** Time for the kernel to take what was written, and for the CPU clock to include it, in milliseconds. */
export const SETTLE_MS = 10
