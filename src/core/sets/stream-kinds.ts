import { isJsonType, mediaTypeIn } from './media-types.ts'

type MessageName = 'first' | 'resume' | 'init' | 'idPointer' | 'pingMs' | 'protocol'

/** How streams of each kind are followed, judged, measured and described. */
interface StreamKindFacts {
  /** In forms and lists. */
  label: string
  description: string
  /** Whether it is requested at an interval. Otherwise Weir keeps one connection open, and silence on it is a fault. */
  isPolled: boolean
  /** Whether its events are posted to Weir: no worker runs it, and no upstream is asked. */
  isPushed?: true
  /** The rollup column that its rates and versions count, and the word for it. */
  counts: 'events' | 'polls'
  /** What it receives, for use in sentences. */
  received: string
  /** Label of the last event in its evidence. */
  lastEvent: string
  /** Content types that identify this kind; none for the default kind. */
  mediaTypes: readonly string[]
  /** Content types that responses of this kind may have as well: then only its owner can say that it is this kind. */
  otherTypes: readonly string[]
  /** Whether a response of these types may also be a file: only its end, or that there is none, shows which. */
  mayEnd: boolean
  /** Schemes of its URLs. */
  schemes: readonly string[]
  /** What its owner may set of what is sent on its connections. */
  messages: readonly MessageName[]
  /** Method of its requests, unless the owner sets another. */
  method: 'GET' | 'POST'
}

const HTTP = ['http:', 'https:'] as const

/** The kinds of streams. */
export const STREAM_KIND = {
  sse: {
    label: 'Event stream',
    description: 'A connection that Weir keeps open and that delivers server-sent events',
    isPolled: false,
    counts: 'events',
    received: 'events',
    lastEvent: 'Last event',
    mediaTypes: ['text/event-stream'],
    otherTypes: [],
    mayEnd: false,
    schemes: HTTP,
    messages: [],
    method: 'GET',
  },
  ndjson: {
    label: 'JSON lines',
    description: 'A connection that Weir keeps open and that delivers one JSON document a line',
    isPolled: false,
    counts: 'events',
    received: 'events',
    lastEvent: 'Last event',
    mediaTypes: [
      'application/x-ndjson',
      'application/ndjson',
      'application/jsonl',
      'application/x-jsonlines',
      'application/stream+json',
      'application/x-json-stream',
      'application/json-seq',
    ],
    otherTypes: ['application/json', 'application/octet-stream', 'text/plain'],
    mayEnd: true,
    schemes: HTTP,
    messages: ['resume', 'idPointer'],
    method: 'GET',
  },
  websocket: {
    label: 'WebSocket',
    description: 'A WebSocket that Weir keeps open; every message is an event',
    isPolled: false,
    counts: 'events',
    received: 'messages',
    lastEvent: 'Last message',
    mediaTypes: [],
    otherTypes: [],
    mayEnd: false,
    schemes: ['ws:', 'wss:'],
    messages: ['first', 'resume', 'idPointer', 'pingMs', 'protocol'],
    method: 'GET',
  },
  graphql: {
    label: 'GraphQL subscription',
    description: 'A GraphQL subscription, over a WebSocket or server-sent events',
    isPolled: false,
    counts: 'events',
    received: 'results',
    lastEvent: 'Last result',
    mediaTypes: [],
    otherTypes: [],
    mayEnd: false,
    schemes: ['http:', 'https:', 'ws:', 'wss:'],
    messages: ['init', 'resume', 'idPointer', 'pingMs'],
    method: 'POST',
  },
  poll: {
    label: 'Poll',
    description: 'Requested at an interval, with its validators',
    isPolled: true,
    counts: 'polls',
    received: 'responses',
    lastEvent: 'Last change',
    mediaTypes: [],
    otherTypes: [],
    mayEnd: false,
    schemes: HTTP,
    messages: [],
    method: 'GET',
  },
  push: {
    label: 'Push',
    description: 'Events that their sender posts to a URL of Weir',
    isPolled: false,
    isPushed: true,
    counts: 'events',
    received: 'deliveries',
    lastEvent: 'Last delivery',
    mediaTypes: [],
    otherTypes: [],
    mayEnd: false,
    schemes: ['http:', 'https:'],
    method: 'GET',
    messages: [],
  },
} as const satisfies Record<string, StreamKindFacts>

export type StreamKind = keyof typeof STREAM_KIND
export const STREAM_KINDS = Object.keys(STREAM_KIND) as StreamKind[]

/** Kinds that are requested at an interval. */
export const POLLED_KINDS = STREAM_KINDS.filter((kind) => STREAM_KIND[kind].isPolled)

/** Kinds whose events are posted to Weir. */
export const PUSHED_KINDS = STREAM_KINDS.filter(isPushed)

export function isPushed(kind: StreamKind): boolean {
  const facts: StreamKindFacts = STREAM_KIND[kind]
  return facts.isPushed === true
}

/** Content types that identify a kind, whatever the response. */
export const CLAIMED_TYPES = STREAM_KINDS.flatMap((kind): readonly string[] =>
  STREAM_KIND[kind].mayEnd ? [] : STREAM_KIND[kind].mediaTypes,
)

/** The default kind, for responses whose content type identifies no kind. */
export const OTHERWISE: StreamKind = 'poll'

export function isStreamKind(text: string | undefined): text is StreamKind {
  return text !== undefined && text in STREAM_KIND
}

/** The kind that a content type identifies, unless the response `mayEnd`; undefined if none. */
export function kindOfType(contentType: string | null): StreamKind | undefined {
  const { type } = mediaTypeIn(contentType)
  return STREAM_KINDS.find((kind) => (STREAM_KIND[kind].mediaTypes as readonly string[]).includes(type))
}

/** Whether a response of this content type can be followed as this kind. */
export function isReadableAs(kind: StreamKind, contentType: string | null): boolean {
  const { mediaTypes, otherTypes } = STREAM_KIND[kind]
  const { type } = mediaTypeIn(contentType)
  const others = otherTypes as readonly string[]
  // What one media type of JSON may be, its relatives may be.
  if (others.includes('application/json') && isJsonType(type)) return true
  return [...mediaTypes, ...others].includes(type)
}

/** The kinds that a URL may have; the first is the one it has by default. */
export function kindsOfUrl(url: string): StreamKind[] {
  const scheme = URL.parse(url)?.protocol ?? ''
  return STREAM_KINDS.filter((kind) => STREAM_KIND[kind].schemes.some((each) => each === scheme))
}

/** Whether a URL leads to a WebSocket. */
export function isSocketUrl(url: string): boolean {
  return /^wss?:/i.test(url)
}
