import { sql } from 'drizzle-orm'
import {
  type AnyPgColumn,
  bigint,
  boolean,
  customType,
  date,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgSchema,
  primaryKey,
  smallint,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'

/** A namespace of our own: BullMQ's Postgres backend keeps its tables in `bullmq`, in the same database. */
export const weir = pgSchema('weir')

const at = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 3 })
const count = (name: string) => bigint(name, { mode: 'number' }).notNull().default(0)
const bytea = customType<{ data: Uint8Array }>({ dataType: () => 'bytea' })

export const KINDS = ['sse', 'poll'] as const
export const DESIRED = ['running', 'stopped', 'idle'] as const
export const INCIDENT_EVENTS = ['worsened', 'told', 'reminded', 'acknowledged', 'over'] as const
export const SCOPES = ['read', 'operate', 'admin'] as const
export const ENTRY_KINDS = ['exchange', 'event', 'snapshot', 'patch', 'error', 'gap'] as const

/** A part of an archived object that can be read alone: a gzip member of whole lines. */
export interface ArchiveBlock {
  /** Where it begins in the object, in bytes. */
  offset: number
  firstSeq: number
  lastSeq: number
  /** Of its entries, in milliseconds since the epoch. */
  firstAt: number
  lastAt: number
  /** The last version of the document in it, and the last snapshot; left out where there is none. */
  versionSeq?: number
  snapshotSeq?: number
}

/** Bounds of what is kept; one that is left out doesn't bound. */
export interface Retention {
  maxAgeMs?: number
  maxEntries?: number
  maxBytes?: number
}

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
    /** How long its entries are kept, where that differs from all others. */
    retention: jsonb().$type<Retention>(),
    /** `idle`: nobody subscribes; the next subscriber starts it. */
    desired: text({ enum: DESIRED }).notNull(),
    /** Whether it runs without subscribers. */
    alwaysOn: boolean().notNull().default(true),
    /** Identifies what a proxied stream asks for, with whose headers; null for one that was registered. */
    proxyKey: text().unique(),
    /** Id of the caller that the proxy made it for; null for one that was registered, and where nobody knows any more. */
    owner: text(),
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
    // As lists are sorted and narrowed: a page of them reads its own rows.
    index('streams_name_index').on(sql`lower(${table.name}) COLLATE "C"`, table.id),
    index('streams_host_index').on(sql`split_part(${table.url}, '/', 3)`, table.id),
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
  /** Number of the last entry that is counted in {@link rollups}, and the newest minute that has any of those. */
  summedSeq: bigint({ mode: 'number' }).notNull().default(0),
  summedMinute: at('summed_minute'),
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
    /** {@link Evidence} of `src/core/judging/verdict.ts`. */
    evidence: jsonb().notNull(),
    verdict: text().notNull(),
    verdictReason: text().notNull(),
    verdictSince: at('verdict_since').notNull(),
    /** When it last had a subscriber; kept for streams that don't run without one. */
    subscribedAt: at('subscribed_at'),
  },
  (table) => [
    index().on(table.verdict),
    // By severity, as lists are sorted.
    index('states_severity_index').on(
      sql`(array_position('{stopped,live,quiet,backing-off,stalled,dead}'::text[], ${table.verdict})::float8)`,
      table.streamId,
    ),
  ],
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

/** The log: numbered per stream, without holes. Partitioned by day, so that old ones are dropped, not deleted. */
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
    /** Where `data` is among the {@link bodies} of the entry's day instead; those are stored once. */
    bodyKey: text(),
    /** The request and its response, where the entry stands for one. */
    exchange: jsonb(),
  },
  (table) => [
    primaryKey({ columns: [table.streamId, table.seq, table.at] }),
    index('entries_versions_index').on(table.streamId, table.seq).where(sql`kind IN ('snapshot', 'patch')`),
    index('entries_body_key_index').on(table.bodyKey).where(sql`body_key IS NOT NULL`),
  ],
)

/** Larger contents of entries, each once a day, by the SHA-256 of the text. Partitioned by day, as the entries are. */
export const bodies = weir.table(
  'bodies',
  {
    day: date().notNull(),
    key: text().notNull(),
    data: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.day, table.key] })],
)

/**
 * A stream's document as of the last version that is no longer in the log: what the versions after it are rebuilt from.
 * Of use until there is a snapshot among those.
 */
export const bases = weir.table('bases', {
  streamId: uuid()
    .primaryKey()
    .references(() => streams.id, { onDelete: 'cascade' }),
  /** The version, when it was made, and the hash that it had. */
  seq: bigint({ mode: 'number' }).notNull(),
  at: at('at').notNull(),
  hash: text().notNull(),
  data: text().notNull(),
})

/** How far what Weir does by the clock has come, and what it found: a row per name. */
export const marks = weir.table('marks', {
  name: text().primaryKey(),
  at: at('at').notNull(),
  detail: jsonb(),
})

const COUNTS = {
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
}

const SUMS = {
  firstSeq: bigint('first_seq', { mode: 'number' }).notNull(),
  lastSeq: bigint('last_seq', { mode: 'number' }).notNull(),
  ...COUNTS,
}

/**
 * Sums per stream and minute: what the measures are answered from, and the way from a time to a `seq`. Partitioned by
 * day, as the entries are.
 */
export const rollups = weir.table(
  'rollups',
  {
    streamId: uuid()
      .notNull()
      .references(() => streams.id, { onDelete: 'cascade' }),
    minute: at('minute').notNull(),
    ...SUMS,
    /** How long its answers took: a byte each, as `src/streams/measures/latencies.ts` has them. */
    latencies: bytea().notNull().default(sql`''`),
  },
  (table) => [primaryKey({ columns: [table.streamId, table.minute] }), index().on(table.minute)],
)

/** The same per hour and per day, in UTC: they outlive the minutes. */
export const longRollups = weir.table(
  'long_rollups',
  {
    streamId: uuid()
      .notNull()
      .references(() => streams.id, { onDelete: 'cascade' }),
    step: text({ enum: ['hour', 'day'] }).notNull(),
    at: at('at').notNull(),
    ...SUMS,
    /** How long its polls kept a subscriber connected, in milliseconds: added up minute by minute. */
    connectedMs: count('connected_ms'),
  },
  (table) => [
    primaryKey({ columns: [table.streamId, table.step, table.at] }),
    index().on(table.step, table.at),
  ],
)

/**
 * {@link rollups} and {@link longRollups} of all streams together. Triggers on those keep them, in the transaction that
 * writes there: whoever asks for all streams reads as many rows of ten as of ten thousand.
 */
export const fleetRollups = weir.table(
  'fleet_rollups',
  {
    step: text({ enum: ['minute', 'hour', 'day'] }).notNull(),
    at: at('at').notNull(),
    /** Whether the sums say what polling moves: those of polled streams, where heads were counted. */
    isPolled: boolean().notNull(),
    /** Which of a few rows that together are one: writers don't wait for each other. */
    part: smallint().notNull(),
    ...COUNTS,
    connectedMs: count('connected_ms'),
  },
  (table) => [primaryKey({ columns: [table.step, table.at, table.isPolled, table.part] })],
)

/** How often each path of a document changed, per hour; array indices stand as `*`. Partitioned by day. */
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
    /** Subscribers that were connected when it was last written down, or at the minute's end. */
    open: integer().notNull().default(0),
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

/** What of the log lies on S3: one object per stream and day. */
export const archives = weir.table(
  'archives',
  {
    streamId: uuid().notNull(),
    day: date().notNull(),
    key: text().notNull(),
    bytes: bigint({ mode: 'number' }).notNull(),
    /** SHA-256 of the object, in hex. */
    sha256: text().notNull(),
    entries: bigint({ mode: 'number' }).notNull(),
    firstSeq: bigint({ mode: 'number' }).notNull(),
    lastSeq: bigint({ mode: 'number' }).notNull(),
    /** The last snapshot in it: where a rebuild of a later document may begin. */
    snapshotSeq: bigint({ mode: 'number' }),
    /** In the order of the object: how to read a part of it. */
    blocks: jsonb().$type<ArchiveBlock[]>().notNull(),
    archivedAt: at('archived_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.streamId, table.day] }), index().on(table.day)],
)

/** How far the archiving of each day is. */
export const archiveDays = weir.table('archive_days', {
  day: date().primaryKey(),
  state: text({ enum: ['running', 'done', 'failed'] }).notNull(),
  /** The last stream whose entries of the day were archived. */
  cursor: uuid(),
  streams: integer().notNull().default(0),
  bytes: count('bytes'),
  /** Why it failed: one of the codes in `src/archive/errors.ts`, and a sentence. */
  errorCode: text(),
  error: text(),
  startedAt: at('started_at').notNull(),
  endedAt: at('ended_at'),
})

/** Where notifications go. */
export const channels = weir.table('channels', {
  id: uuid().primaryKey(),
  name: text().notNull().unique(),
  /** One of the kinds in `src/channels/kinds/`. */
  kind: text().notNull(),
  /** What the kind needs: addresses and secrets, never shown again. */
  config: jsonb().$type<Record<string, unknown>>().notNull(),
  /** Responsible for streams with one of these tags. */
  tags: text().array().notNull(),
  /** Responsible for streams that no other channel is responsible for. */
  isDefault: boolean().notNull(),
  /** Nothing is sent while it is suspended. */
  suspendedAt: at('suspended_at'),
  suspendedReason: text(),
  createdAt: at('created_at').notNull(),
  updatedAt: at('updated_at').notNull(),
})

/** One message to one channel, with as many attempts as it takes. */
export const deliveries = weir.table(
  'deliveries',
  {
    id: uuid().primaryKey(),
    channelId: uuid()
      .notNull()
      .references(() => channels.id, { onDelete: 'cascade' }),
    incidentId: uuid(),
    /** `stream.stalled`, `incident.resolved`, `notify`, `test` … */
    type: text().notNull(),
    message: jsonb().notNull(),
    status: text({ enum: ['pending', 'delivered', 'failed', 'cancelled'] }).notNull(),
    /** Since it was stored, or last replayed. */
    attempts: integer().notNull().default(0),
    nextAttemptAt: at('next_attempt_at'),
    /** Whose attempt is under way keeps all others away until then, even if it never comes back. */
    sendingUntil: at('sending_until'),
    createdAt: at('created_at').notNull(),
    endedAt: at('ended_at'),
  },
  (table) => [
    index().on(table.channelId, table.createdAt),
    index().on(table.incidentId),
    index('deliveries_due_index').on(table.nextAttemptAt).where(sql`status = 'pending'`),
  ],
)

/** One try of a delivery: what was sent and what came back, without secrets. */
export const attempts = weir.table(
  'attempts',
  {
    id: uuid().primaryKey(),
    deliveryId: uuid()
      .notNull()
      .references(() => deliveries.id, { onDelete: 'cascade' }),
    at: at('at').notNull(),
    durationMs: integer().notNull(),
    request: jsonb().notNull(),
    response: jsonb(),
    error: text(),
  },
  (table) => [index().on(table.deliveryId, table.at)],
)

/** When to open incidents beyond what verdicts say, and how sure to be: of one stream, of a tag, or of all. */
export const rules = weir.table('rules', {
  id: uuid().primaryKey(),
  name: text().notNull(),
  kind: text().notNull(),
  streamId: uuid().references(() => streams.id, { onDelete: 'cascade' }),
  tag: text(),
  params: jsonb().$type<Record<string, unknown>>().notNull(),
  /** Looks in a row that must be bad before an incident opens, and good before it is resolved. */
  failureThreshold: integer().notNull(),
  successThreshold: integer().notNull(),
  isEnabled: boolean().notNull(),
  /** When it last looked at its streams. */
  lookedAt: at('looked_at'),
  createdAt: at('created_at').notNull(),
  updatedAt: at('updated_at').notNull(),
})

/** What each rule has seen of each stream: survives a restart, so that nobody is told twice. */
export const alarms = weir.table(
  'alarms',
  {
    streamId: uuid()
      .notNull()
      .references(() => streams.id, { onDelete: 'cascade' }),
    /** Id of a rule, or the name of a built-in one. */
    rule: text().notNull(),
    isFiring: boolean().notNull(),
    /** Looks in a row that said the opposite of `isFiring`. */
    streak: integer().notNull(),
    /** When it last went on or off, the newest last: too many of them is flapping. */
    flips: jsonb().$type<string[]>().notNull(),
    seenAt: at('seen_at').notNull(),
    /** What the rule remembers from look to look. */
    memory: jsonb(),
  },
  (table) => [primaryKey({ columns: [table.streamId, table.rule] })],
)

/** The same of what streams have in common: a host, the worker they wait for, Weir's own way out. */
export const sharedAlarms = weir.table('shared_alarms', {
  key: text().primaryKey(),
  isFiring: boolean().notNull(),
  streak: integer().notNull(),
  seenAt: at('seen_at').notNull(),
  memory: jsonb(),
})

/** One problem, from its first failure to its end. */
export const incidents = weir.table(
  'incidents',
  {
    id: uuid().primaryKey(),
    /** What it is the problem of: at most one with the same is open. */
    key: text().notNull(),
    cause: text().notNull(),
    title: text().notNull(),
    detail: text().notNull(),
    /** Null for one of a host, or of Weir's own way out. */
    streamId: uuid().references(() => streams.id, { onDelete: 'cascade' }),
    host: text(),
    /** The incident that explains this one: nobody is told of both. */
    parentId: uuid(),
    /** Streams that it concerns. */
    affected: integer().notNull().default(1),
    evidence: jsonb(),
    openedAt: at('opened_at').notNull(),
    acknowledgedAt: at('acknowledged_at'),
    acknowledgedBy: text(),
    resolvedAt: at('resolved_at'),
    /** When people were told that it opened, were last reminded, and were told that it is over. */
    notifiedAt: at('notified_at'),
    remindedAt: at('reminded_at'),
    resolvedNotifiedAt: at('resolved_notified_at'),
  },
  (table) => [
    uniqueIndex().on(table.key).where(sql`resolved_at IS NULL`),
    index().on(table.openedAt),
    index().on(table.streamId),
  ],
)

/** What happened to an incident after it opened: who was told what, and who said they look after it. */
export const incidentEvents = weir.table(
  'incident_events',
  {
    id: uuid().primaryKey(),
    incidentId: uuid()
      .notNull()
      .references(() => incidents.id, { onDelete: 'cascade' }),
    at: at('at').notNull(),
    kind: text({ enum: INCIDENT_EVENTS }).notNull(),
    /** Null where it isn't about one channel; kept when the channel is gone. */
    channelId: uuid(),
    deliveryId: uuid(),
    note: text(),
  },
  (table) => [index().on(table.incidentId, table.at)],
)

/** Times in which nobody is told: once, or again and again as a maintenance window. */
export const silences = weir.table('silences', {
  id: uuid().primaryKey(),
  reason: text().notNull(),
  /** Of one stream, of a tag; both null: of everything. */
  streamId: uuid().references(() => streams.id, { onDelete: 'cascade' }),
  tag: text(),
  startsAt: at('starts_at').notNull(),
  endsAt: at('ends_at'),
  /** A repeating window: `{timeZone, days, from, durationMinutes}`, in the zone's wall-clock time. */
  schedule: jsonb(),
  createdAt: at('created_at').notNull(),
})

/** What programs said of the services of the topology; what they left out is null. */
export const topologyServices = weir.table('topology_services', {
  id: text().primaryKey(),
  name: text(),
  kind: text(),
  group: text(),
  url: text(),
  colour: text(),
  firstAt: at('first_at').notNull(),
  /** When it was last heard of, by itself or by a call. */
  activeAt: at('active_at').notNull(),
  reportedAt: at('reported_at').notNull(),
  /** By the clock of the database: what other processes look for. */
  updatedAt: at('updated_at').notNull(),
})

/** The calls between them, as far as they are known for longer than a minute. */
export const topologyCalls = weir.table(
  'topology_calls',
  {
    fromId: text().notNull(),
    toId: text().notNull(),
    count: count('count'),
    errors: count('errors'),
    lastStatus: integer(),
    lastDurationMs: doublePrecision(),
    calledAt: at('called_at'),
    firstAt: at('first_at').notNull(),
    activeAt: at('active_at').notNull(),
    updatedAt: at('updated_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.fromId, table.toId] })],
)

/** How the calls went in one minute, as one process saw it. */
export const topologyMinutes = weir.table(
  'topology_minutes',
  {
    minute: at('minute').notNull(),
    fromId: text().notNull(),
    toId: text().notNull(),
    writer: text().notNull(),
    count: integer().notNull(),
    errors: integer().notNull(),
    /** {@link Latency} of `src/core/latency.ts`: buckets and their counts in turn. */
    latency: integer().array().notNull(),
    updatedAt: at('updated_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.minute, table.fromId, table.toId, table.writer] })],
)

/** All calls of a minute, as one process saw them. */
export const topologyTotals = weir.table(
  'topology_totals',
  {
    minute: at('minute').notNull(),
    writer: text().notNull(),
    calls: count('calls'),
    errors: count('errors'),
  },
  (table) => [primaryKey({ columns: [table.minute, table.writer] })],
)

/** Named secrets that let programs and people in. */
export const keys = weir.table('keys', {
  id: uuid().primaryKey(),
  name: text().notNull(),
  scope: text({ enum: SCOPES }).notNull(),
  /** SHA-256 of the secret, in hex: the secret itself is stored nowhere. */
  digest: text().notNull().unique(),
  /** What the secret begins with, to tell keys apart. */
  prefix: text().notNull(),
  createdAt: at('created_at').notNull(),
  /** Who made it, by name. */
  createdBy: text().notNull(),
  expiresAt: at('expires_at'),
  revokedAt: at('revoked_at'),
  /** The last use, give or take a minute. */
  usedAt: at('used_at'),
  usedFrom: text(),
})

/** Browsers that are logged in, by the key or by WEIR_TOKEN. */
export const sessions = weir.table(
  'sessions',
  {
    /** SHA-256 of what the cookie holds, in hex. */
    digest: text().primaryKey(),
    /** Null: logged in by WEIR_TOKEN. */
    keyId: uuid().references(() => keys.id, { onDelete: 'cascade' }),
    /** HMAC of WEIR_TOKEN under what the cookie holds: another token ends the session, and nothing here tells the token. */
    tokenProof: text(),
    createdAt: at('created_at').notNull(),
    expiresAt: at('expires_at').notNull(),
  },
  (table) => [index().on(table.expiresAt)],
)

/** Who did what: a row for each request that changed something. */
export const audit = weir.table(
  'audit',
  {
    id: uuid().primaryKey(),
    at: at('at').notNull(),
    /** `token`, `key:` with its id, or `local`; with the name it had then. */
    caller: text().notNull(),
    name: text().notNull(),
    method: text().notNull(),
    /** The route's pattern. */
    route: text().notNull(),
    /** Id of what it was done to; null where that is many, or none. */
    subject: text(),
    status: integer().notNull(),
    address: text().notNull(),
  },
  (table) => [index().on(table.at)],
)
