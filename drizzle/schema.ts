import {
  type AnyPgColumn,
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  pgSchema,
  primaryKey,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core'

/** A namespace of our own: BullMQ's Postgres backend keeps its tables in `bullmq`, in the same database. */
export const weir = pgSchema('weir')

const at = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 3 })
const count = (name: string) => bigint(name, { mode: 'number' }).notNull().default(0)

export const KINDS = ['sse', 'poll'] as const
export const DESIRED = ['running', 'stopped', 'idle'] as const
export const ENTRY_KINDS = ['exchange', 'event', 'snapshot', 'patch', 'error', 'gap'] as const

/** One registered API, as its owner described it, and whether it should run. */
export const streams = weir.table(
  'streams',
  {
    id: uuid().primaryKey(),
    name: text().notNull(),
    kind: text({ enum: KINDS }).notNull(),
    url: text().notNull(),
    method: text().notNull(),
    headers: jsonb().$type<Record<string, string>>().notNull(),
    body: text(),
    intervalMs: integer().notNull(),
    /** Null: learnt from the stream's own rhythm. */
    silenceMs: integer(),
    payloadPointer: text().notNull(),
    ignorePaths: text().array().notNull(),
    arrayKeys: text().array().notNull(),
    tags: text().array().notNull(),
    notify: text().array().notNull(),
    /** `idle`: nobody subscribes; the next subscriber starts it. */
    desired: text({ enum: DESIRED }).notNull(),
    /** Whether it runs without subscribers. */
    alwaysOn: boolean().notNull().default(true),
    /** Identifies what a proxied stream asks for, with whose headers; null for one that was registered. */
    proxyKey: text().unique(),
    /** `proxy`: the URL is followed through Weir's own proxy. */
    via: text({ enum: ['proxy'] }),
    /** The polled stream that this one follows by streaming, to compare the two. */
    twinOf: uuid().references((): AnyPgColumn => streams.id, { onDelete: 'cascade' }),
    createdAt: at('created_at').notNull(),
    updatedAt: at('updated_at').notNull(),
  },
  (table) => [
    index().on(table.createdAt, table.id),
    index().using('gin', table.tags),
    index().on(table.twinOf),
  ],
)

/** What a run needs to go on where the last one stopped, and the fence that keeps a replaced run from writing. */
export const checkpoints = weir.table('checkpoints', {
  streamId: uuid()
    .primaryKey()
    .references(() => streams.id, { onDelete: 'cascade' }),
  /** Grows by one with every run; a write that carries an older one is refused. */
  epoch: integer().notNull(),
  /** Number of the last entry. */
  seq: bigint({ mode: 'number' }).notNull(),
  /** The entry to rebuild the document from: this snapshot, then the patches after it. */
  snapshotSeq: bigint({ mode: 'number' }),
  /** Hash of the last body as it came, to tell an unchanged one without parsing it. */
  bodyHash: text(),
  /** Size of that body, plain and compressed with gzip: what polling it again without validators would move. */
  plainBytes: integer(),
  gzipBytes: integer(),
  lastEventId: text(),
  etag: text(),
  lastModified: text(),
})

/** What is known of a stream right now: who holds it, what it has seen, what Weir makes of that. */
export const states = weir.table(
  'states',
  {
    streamId: uuid()
      .primaryKey()
      .references(() => streams.id, { onDelete: 'cascade' }),
    epoch: integer().notNull(),
    /** The worker that holds the stream; null while none does. */
    worker: text(),
    /** The run's attempt of its BullMQ job, from 1. */
    attempt: integer(),
    runSince: at('run_since'),
    /** {@link Evidence} of `src/core/verdict.ts`. */
    evidence: jsonb().notNull(),
    verdict: text().notNull(),
    verdictReason: text().notNull(),
    verdictSince: at('verdict_since').notNull(),
    /** When it last had a subscriber; kept for streams that don't run without one. */
    subscribedAt: at('subscribed_at'),
  },
  (table) => [index().on(table.verdict)],
)

/** The processes that hold streams. A sign of life is one row per worker, not one per stream. */
export const workers = weir.table('workers', {
  name: text().primaryKey(),
  startedAt: at('started_at').notNull(),
  seenAt: at('seen_at').notNull(),
  /** Streams it holds. */
  streams: integer().notNull(),
})

/** Every run a stream ever had. */
export const runs = weir.table(
  'runs',
  {
    streamId: uuid()
      .notNull()
      .references(() => streams.id, { onDelete: 'cascade' }),
    epoch: integer().notNull(),
    worker: text().notNull(),
    startedAt: at('started_at').notNull(),
    endedAt: at('ended_at'),
    endReason: text(),
  },
  (table) => [primaryKey({ columns: [table.streamId, table.epoch] })],
)

/** The log: numbered per stream, without holes. */
export const entries = weir.table(
  'entries',
  {
    streamId: uuid().notNull(),
    seq: bigint({ mode: 'number' }).notNull(),
    at: at('at').notNull(),
    epoch: integer().notNull(),
    kind: text({ enum: ENTRY_KINDS }).notNull(),
    /** Name of an upstream event. */
    event: text(),
    /** The upstream's own id of the event. */
    eventId: text(),
    wireBytes: integer().notNull(),
    bodyBytes: integer().notNull(),
    /** Of the response's status line and headers. */
    headBytes: integer(),
    /** What asking again would have moved, plainly and with gzip: of a 304, the body it stands for. */
    plainBytes: integer(),
    gzipBytes: integer(),
    /** Of the change as a patch; null where nothing was compared, or no patch could be made. */
    patchBytes: integer(),
    /** Of the document, as a snapshot has it. */
    snapshotBytes: integer(),
    /** Of the change as a compressed SSE frame; null where nothing changed. */
    deflatedBytes: integer(),
    changed: boolean(),
    /** SHA-256 in hex: of the canonical document for snapshots and patches, else of the body. */
    hash: text(),
    /** The event's data, the document, the patch, the error or gap as JSON; NUL stands as U+FFFD, which Postgres can store. */
    data: text(),
    /** The request and its response, where the entry stands for one. */
    exchange: jsonb(),
  },
  (table) => [primaryKey({ columns: [table.streamId, table.seq] })],
)

/** Sums per stream and minute: what size and change are answered from, and the way from a time to a `seq`. */
export const rollups = weir.table(
  'rollups',
  {
    streamId: uuid()
      .notNull()
      .references(() => streams.id, { onDelete: 'cascade' }),
    minute: at('minute').notNull(),
    firstSeq: bigint({ mode: 'number' }).notNull(),
    lastSeq: bigint({ mode: 'number' }).notNull(),
    entries: count('entries'),
    events: count('events'),
    polls: count('polls'),
    errors: count('errors'),
    compared: count('compared'),
    changed: count('changed'),
    /** Polls answered 304 Not Modified. */
    notModified: count('not_modified'),
    wireBytes: count('wire_bytes'),
    bodyBytes: count('body_bytes'),
    headBytes: count('head_bytes'),
    /** What polling plainly, polling with gzip, and polling with gzip and validators would have moved. */
    plainBytes: count('plain_bytes'),
    gzipBytes: count('gzip_bytes'),
    conditionalBytes: count('conditional_bytes'),
    /** Of the changes as they are streamed: the patch, or the snapshot where that is smaller. */
    patchBytes: count('patch_bytes'),
    /** The same as SSE frames, plain and compressed. */
    frameBytes: count('frame_bytes'),
    deflatedBytes: count('deflated_bytes'),
  },
  (table) => [primaryKey({ columns: [table.streamId, table.minute] })],
)

/** How often each path of a document changed, per hour; array indices stand as `*`. */
export const pathRollups = weir.table(
  'path_rollups',
  {
    streamId: uuid()
      .notNull()
      .references(() => streams.id, { onDelete: 'cascade' }),
    hour: at('hour').notNull(),
    path: text().notNull(),
    changes: count('changes'),
  },
  (table) => [primaryKey({ columns: [table.streamId, table.hour, table.path] })],
)

/** What subscribers of a proxied stream were sent, per minute. */
export const fanouts = weir.table(
  'fanouts',
  {
    streamId: uuid()
      .notNull()
      .references(() => streams.id, { onDelete: 'cascade' }),
    minute: at('minute').notNull(),
    /** Subscriptions begun. */
    connections: count('connections'),
    /** Time that subscribers were connected, added up, in milliseconds. */
    subscriberMs: count('subscriber_ms'),
    /** Bytes of all frames, as sent: compressed where a subscriber asked for that. */
    wireBytes: count('wire_bytes'),
    /** Snapshots that a new or returning subscriber was sent. */
    snapshots: count('snapshots'),
    /** Subscribers closed because they didn't read. */
    slow: count('slow'),
  },
  (table) => [primaryKey({ columns: [table.streamId, table.minute] })],
)
