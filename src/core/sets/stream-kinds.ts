/** How streams of a kind are followed, judged, measured and described. */
interface StreamKindFacts {
  /** In forms and lists. */
  label: string
  description: string
  /** Whether it is requested at an interval. Otherwise Weir keeps one connection open, and silence on it is a fault. */
  isPolled: boolean
  /** What its rates and versions count: a column of the rollups, and the word for it. */
  counts: 'events' | 'polls'
  /** What it receives, in sentences. */
  received: string
  /** What the last event of its evidence is called. */
  lastEvent: string
  /** Content types by which a response is recognized; none for the kind that every other response is. */
  mediaTypes: readonly string[]
}

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
  },
  poll: {
    label: 'Poll',
    description: 'Requested at an interval, with its validators',
    isPolled: true,
    counts: 'polls',
    received: 'responses',
    lastEvent: 'Last change',
    mediaTypes: [],
  },
} as const satisfies Record<string, StreamKindFacts>

export type StreamKind = keyof typeof STREAM_KIND
export const STREAM_KINDS = Object.keys(STREAM_KIND) as StreamKind[]

/** Kinds that are requested at an interval. */
export const POLLED_KINDS = STREAM_KINDS.filter((kind) => STREAM_KIND[kind].isPolled)

/** Content types that some kind claims. */
export const CLAIMED_TYPES = STREAM_KINDS.flatMap((kind): readonly string[] => STREAM_KIND[kind].mediaTypes)

/** What a response is that no kind claims by its content type. */
export const OTHERWISE: StreamKind = 'poll'

export function isStreamKind(text: string | undefined): text is StreamKind {
  return text !== undefined && text in STREAM_KIND
}

/** The kind that claims a content type; undefined for one that says nothing. */
export function kindOfType(contentType: string | null): StreamKind | undefined {
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? ''
  return STREAM_KINDS.find((kind) => (STREAM_KIND[kind].mediaTypes as readonly string[]).includes(type))
}
