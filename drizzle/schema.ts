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
import type { CpuTrial } from '../src/core/cpu/trial.ts'
import { type EntryKind, VERSION_KINDS_SQL } from '../src/core/sets/entry-kinds.ts'
import type { PushSettings } from '../src/core/sets/push-schemes.ts'
import type { ClientTls, RequestOptions } from '../src/core/sets/request-options.ts'
import type { Scope } from '../src/core/sets/scopes.ts'
import { SEVERITY_ARRAY, type Status } from '../src/core/sets/statuses.ts'
import type { StreamKind } from '../src/core/sets/stream-kinds.ts'

/** Weir's own schema; BullMQ's Postgres backend keeps its tables in `bullmq`, in the same database. */
export const weir = pgSchema('weir')

const at = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 3 })
const count = (name: string) => bigint(name, { mode: 'number' }).notNull().default(0)
const bytea = customType<{ data: Uint8Array }>({ dataType: () => 'bytea' })

export const DESIRED = ['running', 'stopped', 'idle'] as const
export const SPELL_STATES = ['up', 'down', 'silent'] as const
export const INCIDENT_EVENTS = ['worsened', 'told', 'reminded', 'acknowledged', 'over'] as const

/** A part of an archived object that can be read on its own: a gzip member of whole lines. */
export interface ArchiveBlock {
  /** Its offset in the object, in bytes. */
  offset: number
  firstSeq: number
  lastSeq: number
  /** Times of its entries, in milliseconds since the epoch. */
  firstAt: number
  lastAt: number
  /** The last version of the document in it, and the last snapshot; omitted if there is none. */
  versionSeq?: number
  snapshotSeq?: number
}

/** Retention limits; a missing one doesn't apply. */
export interface Retention {
  maxAgeMs?: number
  maxEntries?: number
  maxBytes?: number
}

/** What is sent on a connection, and how what it sends is identified; a missing one isn't. */
export interface Messages {
  /** Once it is open, a message a line. */
  first?: string
  /** Instead of that, to get what follows the last event; `{lastEventId}` stands for its ID. */
  resume?: string
  /** JSON that is sent along when a connection is initialized. */
  init?: string
  /** JSON Pointer to the ID in an event. */
  idPointer?: string
  /** Time between two pings, in milliseconds; 0: none. */
  pingMs?: number
  /** Subprotocol. */
  protocol?: string
}

/** One registered API, as its owner described it, and whether it should run. */
export const streams = weir.table(
  'streams',
  {
    id: uuid().primaryKey(),
    name: text().notNull(),
    kind: text().$type<StreamKind>().notNull(),
    url: text().notNull(),
    method: text().notNull(),
    headers: jsonb().$type<Record<string, string>>().notNull(),
    body: text(),
    intervalMs: integer().notNull(),
    /** Null: learned from the stream's own rhythm. */
    silenceMs: integer(),
    /** Its owner declares that the upstream sends everything after Last-Event-ID: no gap without proof. */
    resumes: boolean().notNull().default(false),
    payloadPointer: text().notNull(),
    /** What of a body that isn't JSON becomes the document. */
    select: text().notNull().default(''),
    /** How its requests are sent, beyond its headers: how they sign in, and what becomes of cookies. Null: by default. */
    auth: jsonb().$type<RequestOptions>(),
    /** A client certificate, and certificate authorities that are trusted for it alone. */
    tls: jsonb().$type<ClientTls>(),
    /** What is sent on its connection. */
    messages: jsonb().$type<Messages>(),
    /** How what is pushed to it is verified and identified. */
    push: jsonb().$type<PushSettings>(),
    /** Hash of the token in the URL that takes what is pushed to it. */
    pushToken: text().unique(),
    ignorePaths: text().array().notNull(),
    arrayKeys: text().array().notNull(),
    tags: text().array().notNull(),
    notify: text().array().notNull(),
    /** Its own retention limits, tighter than the global ones. */
    retention: jsonb().$type<Retention>(),
    /** Failures in a row, and time since the first of them, after which it is dead; null: the global settings. */
    deadAfterFailures: integer(),
    deadAfterMs: integer(),
    /** `idle`: nobody subscribes; the next subscriber starts it. */
    desired: text({ enum: DESIRED }).notNull(),
    /** Whether it runs without subscribers. */
    alwaysOn: boolean().notNull().default(true),
    /** Identifies the request of a proxied stream, including its headers; null for a registered stream. */
    proxyKey: text().unique(),
    /** ID of the caller that the proxy created it for; null for a registered stream, or if unknown. */
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
    // Indexes for sorted and filtered lists, so that a page reads only its own rows.
    index('streams_name_index').on(sql`lower(${table.name}) COLLATE "C"`, table.id),
    index('streams_host_index').on(sql`split_part(${table.url}, '/', 3)`, table.id),
  ],
)

/** Server CPU that streaming and polling one stream's recorded bodies took, measured on request. */
export const cpuTrials = weir.table(
  'cpu_trials',
  {
    streamId: uuid()
      .notNull()
      .references(() => streams.id, { onDelete: 'cascade' }),
    at: at('at').notNull(),
    result: jsonb().$type<CpuTrial>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.streamId, table.at] })],
)

/** What a run needs to resume where the last one stopped, and the fence that keeps a replaced run from writing. */
export const checkpoints = weir.table('checkpoints', {
  streamId: uuid()
    .primaryKey()
    .references(() => streams.id, { onDelete: 'cascade' }),
  /** Grows by one with every run; a write with an older epoch is refused. */
  epoch: integer().notNull(),
  /** Number of the last entry. */
  seq: bigint({ mode: 'number' }).notNull(),
  /** The entry to rebuild the document from: this snapshot, then the patches after it. */
  snapshotSeq: bigint({ mode: 'number' }),
  /** Hash of the last body as received, to detect an unchanged one without parsing it. */
  bodyHash: text(),
  /** Size of that body, plain and gzipped: what polling it again without validators would transfer. */
  plainBytes: integer(),
  gzipBytes: integer(),
  lastEventId: text(),
  etag: text(),
  lastModified: text(),
  /** Its cookies, encrypted. */
  cookies: bytea(),
  /** Number of the last entry that is counted in {@link rollups}, and the newest minute that has any of those. */
  summedSeq: bigint({ mode: 'number' }).notNull().default(0),
  summedMinute: at('summed_minute'),
})

/** The current state of a stream: its worker, its evidence, and its status. */
export const states = weir.table(
  'states',
  {
    streamId: uuid()
      .primaryKey()
      .references(() => streams.id, { onDelete: 'cascade' }),
    epoch: integer().notNull(),
    /** The worker that runs the stream; null while none does. */
    worker: text(),
    /** The run's attempt of its BullMQ job, from 1. */
    attempt: integer(),
    runSince: at('run_since'),
    /** {@link Evidence} of `src/core/judging/status.ts`. */
    evidence: jsonb().notNull(),
    status: text('verdict').$type<Status>().notNull(),
    statusReason: text('verdict_reason').notNull(),
    statusSince: at('verdict_since').notNull(),
    /** When it last had a subscriber, for streams that don't run without one. */
    subscribedAt: at('subscribed_at'),
    /** Its availability of the last 24 hours, 0 to 1, for sorted lists; null while unknown. */
    availability: doublePrecision(),
  },
  (table) => [
    index().on(table.status),
    index('states_availability_index').on(sql`coalesce(${table.availability}, 2)`, table.streamId),
    // By severity, for sorted lists; a new status needs a migration that rebuilds this index.
    index('states_severity_index').on(
      sql`(array_position(${sql.raw(`'${SEVERITY_ARRAY}'`)}::text[], ${table.status})::float8)`,
      table.streamId,
    ),
  ],
)

/** The processes that run streams. A heartbeat is one row per worker, not one per stream. */
export const workers = weir.table('workers', {
  name: text().primaryKey(),
  startedAt: at('started_at').notNull(),
  seenAt: at('seen_at').notNull(),
  /** Number of streams it runs. */
  streams: integer().notNull(),
})

/** All runs of each stream. */
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

/**
 * When each stream was up and when it was down, as its runs saw it. Time that no spell covers is unknown: Weir didn't run
 * the stream. The current spell of a run is in its evidence.
 */
export const spells = weir.table(
  'spells',
  {
    streamId: uuid()
      .notNull()
      .references(() => streams.id, { onDelete: 'cascade' }),
    epoch: integer().notNull(),
    from: at('from_at').notNull(),
    to: at('to_at').notNull(),
    /** `silent`: connected, but without a byte for longer than allowed. */
    state: text({ enum: SPELL_STATES }).notNull(),
    /** Whether notifications were silenced: it counts as neither. */
    isSilenced: boolean().notNull(),
  },
  (table) => [primaryKey({ columns: [table.streamId, table.from, table.epoch] }), index().on(table.to)],
)

/** The log: numbered per stream, without holes. Partitioned by day, so that old days are dropped, not deleted. */
export const entries = weir.table(
  'entries',
  {
    streamId: uuid().notNull(),
    seq: bigint({ mode: 'number' }).notNull(),
    at: at('at').notNull(),
    epoch: integer().notNull(),
    kind: text().$type<EntryKind>().notNull(),
    /** Name of an upstream event. */
    event: text(),
    /** The upstream's ID of the event. */
    eventId: text(),
    wireBytes: integer().notNull(),
    bodyBytes: integer().notNull(),
    /** Bytes of the status lines and headers of the response and its redirects. */
    headBytes: integer(),
    /** What polling without validators would have transferred, plain and gzipped; for a 304, the body it stands for. */
    plainBytes: integer(),
    gzipBytes: integer(),
    /** Bytes of the change as a patch; null if nothing was compared, or no patch could be made. */
    patchBytes: integer(),
    /** Bytes of the document as a snapshot. */
    snapshotBytes: integer(),
    /** Bytes of the change as a compressed SSE frame; null if nothing changed. */
    deflatedBytes: integer(),
    changed: boolean(),
    /** SHA-256 in hex, of the canonical document for snapshots and patches, else of the body. */
    hash: text(),
    /** The event's data, the document, the patch, the error or gap as JSON. NUL is stored as U+FFFD: Postgres can't store it. */
    data: text(),
    /**
     * The key of `data` in the {@link bodies} of the entry's day, if it is stored there instead, once. For an error, the
     * key of its member `body`, which `data` then lacks.
     */
    bodyKey: text(),
    /** The request and its response, if the entry represents one. */
    exchange: jsonb(),
  },
  (table) => [
    primaryKey({ columns: [table.streamId, table.seq, table.at] }),
    index('entries_versions_index')
      .on(table.streamId, table.seq)
      .where(sql`kind IN (${sql.raw(VERSION_KINDS_SQL)})`),
    index('entries_body_key_index').on(table.bodyKey).where(sql`body_key IS NOT NULL`),
  ],
)

/** Larger contents of entries, each stored once per day, by the SHA-256 of the text. Partitioned by day, like the entries. */
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
 * A stream's document as of the last version that is no longer in the log: later versions are rebuilt from it. Needed until
 * one of those is a snapshot.
 */
export const bases = weir.table('bases', {
  streamId: uuid()
    .primaryKey()
    .references(() => streams.id, { onDelete: 'cascade' }),
  /** The version, its time, and its hash. */
  seq: bigint({ mode: 'number' }).notNull(),
  at: at('at').notNull(),
  hash: text().notNull(),
  data: text().notNull(),
})

/** Progress and results of scheduled work, one row per name. */
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
  /** What plain polling, polling with gzip, and polling with gzip and validators would have transferred. */
  plainBytes: count('plain_bytes'),
  gzipBytes: count('gzip_bytes'),
  conditionalBytes: count('conditional_bytes'),
  /** Bytes of the changes as streamed: the patch, or the snapshot if that is smaller. */
  patchBytes: count('patch_bytes'),
  /** The same as SSE frames, plain and compressed. */
  frameBytes: count('frame_bytes'),
  deflatedBytes: count('deflated_bytes'),
  /** Failed attempts: polls and connections. */
  failures: count('failures'),
  /** Scheduled polls that were answered, and those that weren't; a retry within an interval isn't scheduled. */
  answered: count('answered'),
  unanswered: count('unanswered'),
  /** Time between the compared polls, in milliseconds, and the part of it after which they had changed. */
  comparedMs: count('compared_ms'),
  changedMs: count('changed_ms'),
  /** Requests that were sent, redirects included, and the bytes of their heads and bodies. */
  requests: count('requests'),
  requestBytes: count('request_bytes'),
  /** Heads of failed polls, which are in `headBytes`, and bodies of redirects, which are in `wireBytes`. */
  failedHeadBytes: count('failed_head_bytes'),
  redirectBytes: count('redirect_bytes'),
  /** Answers from a shared cache; polls while the last answer was still fresh, and those of them that had changed. */
  cacheHits: count('cache_hits'),
  fresh: count('fresh'),
  freshChanged: count('fresh_changed'),
  /** How long the stream was followed between its entries, in milliseconds: from the one before each, except before a gap. */
  heldMs: count('held_ms'),
}

const SUMS = {
  firstSeq: bigint('first_seq', { mode: 'number' }).notNull(),
  lastSeq: bigint('last_seq', { mode: 'number' }).notNull(),
  ...COUNTS,
}

/**
 * Rollups per stream and minute: the source of the measures, and the index from a time to a `seq`. Partitioned by day, like
 * the entries.
 */
export const rollups = weir.table(
  'rollups',
  {
    streamId: uuid()
      .notNull()
      .references(() => streams.id, { onDelete: 'cascade' }),
    minute: at('minute').notNull(),
    ...SUMS,
    /** Response times, one byte each, as encoded by `src/streams/measures/latencies.ts`. */
    latencies: bytea().notNull().default(sql`''`),
  },
  (table) => [primaryKey({ columns: [table.streamId, table.minute] }), index().on(table.minute)],
)

/** The same per UTC hour and day; these outlive the minutes. */
export const longRollups = weir.table(
  'long_rollups',
  {
    streamId: uuid()
      .notNull()
      .references(() => streams.id, { onDelete: 'cascade' }),
    step: text({ enum: ['hour', 'day'] }).notNull(),
    at: at('at').notNull(),
    ...SUMS,
    /** How long its polls would have kept a subscriber connected, in milliseconds, added up by minute. */
    connectedMs: count('connected_ms'),
  },
  (table) => [
    primaryKey({ columns: [table.streamId, table.step, table.at] }),
    index().on(table.step, table.at),
  ],
)

/**
 * {@link rollups} and {@link longRollups} of all streams together. Triggers update them in the transaction that writes those:
 * a query over all streams reads as few rows for ten thousand streams as for ten.
 */
export const fleetRollups = weir.table(
  'fleet_rollups',
  {
    step: text({ enum: ['minute', 'hour', 'day'] }).notNull(),
    at: at('at').notNull(),
    /** Whether the rollups allow measuring savings: those of polled streams with counted heads. */
    isPolled: boolean().notNull(),
    /** One of several rows that add up to one, so that writers don't wait for each other. */
    part: smallint().notNull(),
    ...COUNTS,
    connectedMs: count('connected_ms'),
  },
  (table) => [primaryKey({ columns: [table.step, table.at, table.isPolled, table.part] })],
)

/** How often each path of a document changed, per hour; array indices appear as `*`. Partitioned by day. */
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

/** What subscribers of a proxied stream received, per minute. */
export const fanouts = weir.table(
  'fanouts',
  {
    streamId: uuid()
      .notNull()
      .references(() => streams.id, { onDelete: 'cascade' }),
    minute: at('minute').notNull(),
    /** Subscribers connected at the last write, or at the end of the minute. */
    open: integer().notNull().default(0),
    /** Subscriptions started. */
    connections: count('connections'),
    /** Total time that subscribers were connected, in milliseconds. */
    subscriberMs: count('subscriber_ms'),
    /** Bytes of all frames as sent, compressed if the subscriber asked for that. */
    wireBytes: count('wire_bytes'),
    /** Snapshots sent to new or returning subscribers. */
    snapshots: count('snapshots'),
    /** Subscribers closed because they didn't read. */
    slow: count('slow'),
  },
  (table) => [primaryKey({ columns: [table.streamId, table.minute] })],
)

/** The archived log on S3: one object per stream and day. */
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
    /** The last snapshot in it: where the rebuild of a later document can start. */
    snapshotSeq: bigint({ mode: 'number' }),
    /** In the order of the object; used to read parts of it. */
    blocks: jsonb().$type<ArchiveBlock[]>().notNull(),
    archivedAt: at('archived_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.streamId, table.day] }), index().on(table.day)],
)

/** Archiving progress per day. */
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
  /** The kind's configuration: addresses and secrets, never shown again. */
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
    /** Attempts since it was stored, or last replayed. */
    attempts: integer().notNull().default(0),
    nextAttemptAt: at('next_attempt_at'),
    /** An attempt in progress locks it until then, even if its process dies. */
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

/** Rules that open incidents in addition to statuses, with their thresholds: for one stream, a tag, or all. */
export const rules = weir.table('rules', {
  id: uuid().primaryKey(),
  name: text().notNull(),
  kind: text().notNull(),
  streamId: uuid().references(() => streams.id, { onDelete: 'cascade' }),
  tag: text(),
  params: jsonb().$type<Record<string, unknown>>().notNull(),
  /** Bad evaluations in a row that open an incident, and good ones that resolve it. */
  failureThreshold: integer().notNull(),
  successThreshold: integer().notNull(),
  isEnabled: boolean().notNull(),
  /** When it was last evaluated. */
  lookedAt: at('looked_at'),
  createdAt: at('created_at').notNull(),
  updatedAt: at('updated_at').notNull(),
})

/** The state of each rule for each stream. Survives restarts, so that nobody is notified twice. */
export const alarms = weir.table(
  'alarms',
  {
    streamId: uuid()
      .notNull()
      .references(() => streams.id, { onDelete: 'cascade' }),
    /** Id of a rule, or the name of a built-in one. */
    rule: text().notNull(),
    isFiring: boolean().notNull(),
    /** Evaluations in a row that contradict `isFiring`. */
    streak: integer().notNull(),
    /** When it last went on or off, newest last; too many of these are flapping. */
    flips: jsonb().$type<string[]>().notNull(),
    seenAt: at('seen_at').notNull(),
    /** The rule's memory between evaluations. */
    memory: jsonb(),
  },
  (table) => [primaryKey({ columns: [table.streamId, table.rule] })],
)

/** The same for causes that streams share: a host, missing workers, Weir's own network. */
export const sharedAlarms = weir.table('shared_alarms', {
  key: text().primaryKey(),
  isFiring: boolean().notNull(),
  streak: integer().notNull(),
  seenAt: at('seen_at').notNull(),
  memory: jsonb(),
})

/** One problem, from its first failure to its recovery. */
export const incidents = weir.table(
  'incidents',
  {
    id: uuid().primaryKey(),
    /** What the problem is about: at most one incident per subject is open. */
    key: text().notNull(),
    cause: text().notNull(),
    title: text().notNull(),
    detail: text().notNull(),
    /** Null for a host, or for Weir's own network. */
    streamId: uuid().references(() => streams.id, { onDelete: 'cascade' }),
    host: text(),
    /** The incident that explains this one: nobody is notified of both. */
    parentId: uuid(),
    /** Number of affected streams. */
    affected: integer().notNull().default(1),
    evidence: jsonb(),
    openedAt: at('opened_at').notNull(),
    acknowledgedAt: at('acknowledged_at'),
    acknowledgedBy: text(),
    resolvedAt: at('resolved_at'),
    /** When the start was notified, when the last reminder was sent, and when the recovery was notified. */
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

/** The timeline of an incident after it opened: notifications, reminders, acknowledgements. */
export const incidentEvents = weir.table(
  'incident_events',
  {
    id: uuid().primaryKey(),
    incidentId: uuid()
      .notNull()
      .references(() => incidents.id, { onDelete: 'cascade' }),
    at: at('at').notNull(),
    kind: text({ enum: INCIDENT_EVENTS }).notNull(),
    /** Null if it isn't about one channel; kept when the channel is removed. */
    channelId: uuid(),
    deliveryId: uuid(),
    note: text(),
  },
  (table) => [index().on(table.incidentId, table.at)],
)

/** Times without notifications: once, or recurring as a maintenance window. */
export const silences = weir.table('silences', {
  id: uuid().primaryKey(),
  reason: text().notNull(),
  /** For one stream or a tag; both null: for everything. */
  streamId: uuid().references(() => streams.id, { onDelete: 'cascade' }),
  tag: text(),
  startsAt: at('starts_at').notNull(),
  endsAt: at('ends_at'),
  /** A recurring window: `{timeZone, days, from, durationMinutes}`, in the zone's wall-clock time. */
  schedule: jsonb(),
  createdAt: at('created_at').notNull(),
})

/** Services of the topology as reported by programs; fields they left out are null. */
export const topologyServices = weir.table('topology_services', {
  id: text().primaryKey(),
  name: text(),
  kind: text(),
  group: text(),
  url: text(),
  color: text('colour'),
  firstAt: at('first_at').notNull(),
  /** When it was last seen, by its own report or in a call. */
  activeAt: at('active_at').notNull(),
  reportedAt: at('reported_at').notNull(),
  /** By the clock of the database: other processes find changes by it. */
  updatedAt: at('updated_at').notNull(),
})

/** The calls between them: what is kept longer than a minute. */
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

/** The calls of one minute and edge, as seen by one process. */
export const topologyMinutes = weir.table(
  'topology_minutes',
  {
    minute: at('minute').notNull(),
    fromId: text().notNull(),
    toId: text().notNull(),
    writer: text().notNull(),
    count: integer().notNull(),
    errors: integer().notNull(),
    /** {@link Latency} of `src/core/latency.ts`: alternating buckets and counts. */
    latency: integer().array().notNull(),
    updatedAt: at('updated_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.minute, table.fromId, table.toId, table.writer] })],
)

/** All calls of one minute, as seen by one process. */
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

/** API keys: named secrets for programs and people. */
export const keys = weir.table('keys', {
  id: uuid().primaryKey(),
  name: text().notNull(),
  scope: text().$type<Scope>().notNull(),
  /** SHA-256 of the secret, in hex; the secret itself isn't stored. */
  digest: text().notNull().unique(),
  /** The beginning of the secret, to distinguish keys. */
  prefix: text().notNull(),
  createdAt: at('created_at').notNull(),
  /** Who created it, by name. */
  createdBy: text().notNull(),
  expiresAt: at('expires_at'),
  revokedAt: at('revoked_at'),
  /** The last use, accurate to a minute. */
  usedAt: at('used_at'),
  usedFrom: text(),
})

/** Signed-in browsers, with a key or WEIR_TOKEN. */
export const sessions = weir.table(
  'sessions',
  {
    /** SHA-256 of the cookie's value, in hex. */
    digest: text().primaryKey(),
    /** Null: signed in with WEIR_TOKEN. */
    keyId: uuid().references(() => keys.id, { onDelete: 'cascade' }),
    /** HMAC of WEIR_TOKEN keyed by the cookie: a new token ends the session, and nothing here reveals the token. */
    tokenProof: text(),
    createdAt: at('created_at').notNull(),
    expiresAt: at('expires_at').notNull(),
  },
  (table) => [index().on(table.expiresAt)],
)

/** The audit log: a row for each request that changes something. */
export const audit = weir.table(
  'audit',
  {
    id: uuid().primaryKey(),
    at: at('at').notNull(),
    /** `token`, `key:` with its ID, or `local`; with the name at that time. */
    caller: text().notNull(),
    name: text().notNull(),
    method: text().notNull(),
    /** The route's pattern. */
    route: text().notNull(),
    /** ID of its subject; null if there are several, or none. */
    subject: text(),
    status: integer().notNull(),
    address: text().notNull(),
  },
  (table) => [index().on(table.at)],
)
