import { sql } from 'drizzle-orm'
import { DAY_MS } from '../../src/core/time.ts'
import { makePartitions } from '../../src/storage/partitions.ts'
import type { Database } from '../../src/storage/storage.ts'
import { SUMS } from '../../src/streams/measures/rollup-delta.ts'

/** The data of a Weir that has followed many streams for days, generated in the database. */
export interface Recorded {
  streams: number
  entriesPerStream: number
  /** Number of days; each has the same number of entries. */
  days: number
  /** Whether the streams should run or are stopped. */
  isRunning: boolean
}

/** Time between two entries, in seconds: those of a day fall into its last minutes. */
const APART_SECONDS = 12
/** Number of the stream that is the second one's twin. */
const TWIN = 1_000_000
const PER_MINUTE = 60 / APART_SECONDS
const ID = `format('01900000-0000-7000-8000-%s', lpad(to_hex(n), 12, '0'))::uuid`

/** The ID of a stream, from 1. */
export function idOf(stream: number): string {
  return `01900000-0000-7000-8000-${stream.toString(16).padStart(12, '0')}`
}

/**
 * Fills an empty, migrated database. Every second stream is polled: it has a snapshot per day, and a patch for every
 * fifth poll. A permanent worker runs all of them; one in a hundred is dead and has an open incident.
 */
export async function fillRows(db: Database, recorded: Recorded): Promise<void> {
  const { days } = recorded
  for (let day = 0; day < days; day++) await makePartitions(db, Date.now() - day * DAY_MS)
  for (const statement of statements(recorded)) await db.execute(sql.raw(statement))
}

function statements({ streams, entriesPerStream, days, isRunning }: Recorded): string[] {
  const perDay = entriesPerStream / days
  const each = `generate_series(1, ${streams}) AS n`
  const day = `generate_series(0, ${days - 1}) AS day`
  // The last entry of each day, and of all, is as old as the last full minute.
  const begins = `date_trunc('minute', now()) - make_interval(days => ${days - 1} - day, secs => ${perDay * APART_SECONDS})`
  const document = `'{"n":' || seq || ',"pad":"' || repeat('x', 100) || '"}'`
  return [
    `INSERT INTO weir.workers VALUES ('bench', now(), now() + interval '1 day', ${streams})`,
    `INSERT INTO weir.streams (id, name, kind, url, method, headers, interval_ms, payload_pointer, ignore_paths,
       array_keys, tags, notify, desired, created_at, updated_at)
     SELECT ${ID}, 'stream ' || lpad(n::text, 6, '0'), CASE n % 2 WHEN 0 THEN 'poll' ELSE 'sse' END,
       'http://host-' || n % 50 || '.example/' || n, 'GET', '{}', 12000, '', '{}', '{}', ARRAY['team-' || n % 20], '{}',
       '${isRunning ? 'running' : 'stopped'}', now() - interval '30 days', now() - interval '30 days'
     FROM ${each}`,
    `INSERT INTO weir.checkpoints (stream_id, epoch, seq, snapshot_seq)
     SELECT ${ID}, 1, ${perDay * days}, CASE n % 2 WHEN 0 THEN ${perDay * (days - 1) + 1} END FROM ${each}`,
    `INSERT INTO weir.runs SELECT ${ID}, 1, 'bench', now() - interval '30 days' FROM ${each}`,
    `INSERT INTO weir.states (stream_id, epoch, worker, attempt, run_since, evidence, verdict, verdict_reason, verdict_since)
     SELECT ${ID}, 1, 'bench', 1, now() - interval '30 days',
       json_build_object('phase', 'open', 'phaseSince', ms, 'failures', 0, 'lastByteAt', ms, 'lastEventAt', ms, 'lastPollAt', ms),
       CASE n % 100 WHEN 1 THEN 'dead' ELSE '${isRunning ? 'live' : 'stopped'}' END, 'As it is.', now() - interval '1 day'
     FROM ${each}, LATERAL (SELECT floor(extract(epoch FROM now()) * 1000) AS ms) AS moment`,
    `INSERT INTO weir.incidents (id, key, cause, title, detail, stream_id, affected, opened_at, notified_at)
     SELECT ${ID}, 'stream:' || n, 'dead', 'stream ' || n || ' is dead', 'It is.', ${ID}, 1,
       now() - interval '1 day', now() - interval '1 day'
     FROM ${each} WHERE n % 100 = 1`,
    `INSERT INTO weir.entries (stream_id, seq, at, epoch, kind, wire_bytes, body_bytes, head_bytes, plain_bytes,
       gzip_bytes, patch_bytes, snapshot_bytes, deflated_bytes, changed, hash, data, exchange)
     SELECT ${ID}, seq, ${begins} + make_interval(secs => i * ${APART_SECONDS}), 1,
       CASE WHEN n % 2 = 1 THEN 'event' WHEN i = 0 THEN 'snapshot' WHEN i % 5 = 0 THEN 'patch' ELSE 'exchange' END,
       120, 112, CASE n % 2 WHEN 0 THEN 90 END, 112, 60, CASE WHEN n % 2 = 0 AND i % 5 = 0 THEN 42 END, 112,
       CASE WHEN n % 2 = 0 AND i % 5 = 0 THEN 50 END, CASE n % 2 WHEN 0 THEN i % 5 = 0 END,
       CASE WHEN n % 2 = 0 AND i % 5 = 0 THEN encode(sha256(convert_to(${document}, 'UTF8')), 'hex') END,
       CASE WHEN n % 2 = 1 OR i = 0 THEN ${document}
         WHEN i % 5 = 0 THEN '[{"op":"replace","path":"/n","value":' || seq || '}]' END,
       CASE n % 2 WHEN 0 THEN '{"request":{"method":"GET","url":"http://host.example/","headers":{}},"response":{"status":200,"headers":{},"durationMs":12}}'::jsonb END
     FROM ${each}, ${day}, generate_series(0, ${perDay - 1}) AS i, LATERAL (SELECT day * ${perDay} + i + 1 AS seq) AS number`,
    `INSERT INTO weir.rollups (stream_id, minute, first_seq, last_seq, entries, events, polls, compared, changed,
       wire_bytes, body_bytes, head_bytes, plain_bytes, gzip_bytes, conditional_bytes, patch_bytes, frame_bytes,
       deflated_bytes, latencies)
     SELECT ${ID}, ${begins} + make_interval(mins => m), first, first + ${PER_MINUTE - 1}, ${PER_MINUTE},
       CASE n % 2 WHEN 1 THEN ${PER_MINUTE} ELSE 1 END, (n + 1) % 2 * ${PER_MINUTE}, (n + 1) % 2 * ${PER_MINUTE},
       (n + 1) % 2, 600, 560, (n + 1) % 2 * 450, 560, 300, 60, 42, 80, 50,
       CASE n % 2 WHEN 0 THEN '\\x2020202020'::bytea ELSE '' END
     FROM ${each}, ${day}, generate_series(0, ${perDay / PER_MINUTE - 1}) AS m,
       LATERAL (SELECT day * ${perDay} + m * ${PER_MINUTE} + 1 AS first) AS number`,
    `INSERT INTO weir.path_rollups
     SELECT stream_id, date_trunc('hour', minute, 'UTC'), '/n', sum(changed) FROM weir.rollups
     WHERE changed > 0 GROUP BY 1, 2`,
    ...longSums(),
    ...tellings(),
    'ANALYZE',
  ]
}

/** Hourly and daily rollups, as far as they would be done. */
function longSums(): string[] {
  const done = `date_trunc('hour', now() - interval '5 minutes', 'UTC')`
  const of = (step: string) => `INSERT INTO weir.long_rollups
      (stream_id, step, at, first_seq, last_seq, ${SUMS.join(', ')}, connected_ms)
    SELECT stream_id, '${step}', date_trunc('${step}', minute, 'UTC'), min(first_seq), max(last_seq),
      ${SUMS.map((name) => `sum(${name})`).join(', ')}, sum(polls) * ${APART_SECONDS * 1_000}
    FROM weir.rollups WHERE minute < ${done} GROUP BY 1, 3`
  return [of('hour'), of('day'), `INSERT INTO weir.marks VALUES ('rolled', ${done})`]
}

/** One of each thing that people create, so that each has a page. */
function tellings(): string[] {
  const n = (id: number) => ID.replace('(n)', `(${id})`)
  const twin = n(TWIN)
  return [
    `INSERT INTO weir.streams (id, name, kind, url, method, headers, interval_ms, payload_pointer, ignore_paths,
       array_keys, tags, notify, desired, via, twin_of, created_at, updated_at)
     SELECT ${twin}, 'Twin', 'sse', url, method, headers, interval_ms, '', '{}', '{}', '{}', '{}', desired, 'proxy', id,
       created_at, updated_at FROM weir.streams WHERE id = ${n(2)}`,
    `INSERT INTO weir.checkpoints (stream_id, epoch, seq) VALUES (${twin}, 1, 0)`,
    `INSERT INTO weir.states (stream_id, epoch, worker, evidence, verdict, verdict_reason, verdict_since)
     SELECT ${twin}, epoch, worker, evidence, verdict, verdict_reason, verdict_since
     FROM weir.states WHERE stream_id = ${n(2)}`,
    `INSERT INTO weir.channels (id, name, kind, config, tags, is_default, created_at, updated_at)
     VALUES (${n(1)}, 'Bench', 'webhook', '{"url":"http://127.0.0.1:9/"}', '{}', true, now(), now())`,
    `INSERT INTO weir.deliveries (id, channel_id, incident_id, type, message, status, attempts, created_at, ended_at)
     SELECT incident.id, ${n(1)}, incident.id, 'stream.dead', '{"title":"It is dead","text":"It is."}', 'delivered', 1,
       opened_at, opened_at FROM weir.incidents AS incident`,
    `INSERT INTO weir.incident_events (id, incident_id, at, kind, channel_id, delivery_id)
     SELECT id, id, opened_at, 'told', ${n(1)}, id FROM weir.incidents`,
    `INSERT INTO weir.rules (id, name, kind, params, failure_threshold, success_threshold, is_enabled, created_at, updated_at)
     VALUES (${n(1)}, 'Bench', 'errorRate', '{"above":0.9}', 2, 2, true, now(), now())`,
    `INSERT INTO weir.silences (id, reason, starts_at, ends_at, created_at)
     VALUES (${n(1)}, 'Bench', now(), now() + interval '1 day', now())`,
    `INSERT INTO weir.keys (id, name, scope, digest, prefix, created_at, created_by)
     VALUES (${n(1)}, 'Bench', 'read', repeat('0', 64), 'weir_bench', now(), 'bench')`,
  ]
}
