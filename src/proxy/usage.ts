import { sql } from 'drizzle-orm'
import type { CloseReason, Meter } from '../hub/hub.ts'
import type { Database } from '../storage/storage.ts'
import type { Stream } from '../streams/ingest/run.ts'

const MINUTE_MS = 60_000

/** What the subscribers of one stream were sent since it was last written down. */
interface Usage {
  open: number
  connections: number
  snapshots: number
  wireBytes: number
  slow: number
  subscriberMs: number
  /** What `open` was when it was last written down, and of which minute that was. */
  told: { minute: number; open: number }
  /** Up to when `subscriberMs` is added up. */
  countedAt: number
}

/** What the database says of a stream that has, or had, subscribers. */
export interface Seen {
  streamId: string
  open: number
  /** `undefined` when the stream is gone. */
  desired: Stream['desired'] | undefined
}

/** Counts what the subscribers of proxied streams are sent by this process. */
export class UsageMeter {
  readonly #byStream = new Map<string, Usage>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** Counts a new subscriber. */
  enter(streamId: string): Meter {
    const usage = this.#of(streamId)
    this.#count(usage)
    usage.open++
    usage.connections++
    return {
      sent: (bytes) => {
        usage.wireBytes += bytes
      },
      closed: (reason: CloseReason) => {
        this.#count(usage)
        usage.open--
        if (reason === 'slow') usage.slow++
      },
    }
  }

  sentSnapshot(streamId: string): void {
    this.#of(streamId).snapshots++
  }

  /**
   * Adds to the sums of the minute, and says of streams that have subscribers that they do. What could not be written
   * is written the next time.
   */
  async write(db: Database): Promise<Seen[]> {
    const written = [...this.#byStream].map(([streamId, usage]) => {
      this.#count(usage)
      return [streamId, usage, { ...usage }] as const
    })
    if (written.length === 0) return []
    const now = this.#now()
    const minute = Math.floor(now / MINUTE_MS)
    const rows = written.map(([streamId, , counted]) => usageRow(streamId, counted, minute))
    const seen = await writeUsage(db, new Date(now), rows)
    for (const [streamId, usage, counted] of written) {
      usage.told = { minute, open: counted.open }
      usage.connections -= counted.connections
      usage.snapshots -= counted.snapshots
      usage.wireBytes -= counted.wireBytes
      usage.slow -= counted.slow
      usage.subscriberMs -= counted.subscriberMs
      const isTold = usage.open === 0 && counted.open === 0
      if (isTold && usage.connections === 0) this.#byStream.delete(streamId)
    }
    return seen
  }

  #of(streamId: string): Usage {
    let usage = this.#byStream.get(streamId)
    if (usage === undefined) {
      const nothing = { open: 0, connections: 0, snapshots: 0, wireBytes: 0, slow: 0, subscriberMs: 0 }
      usage = { ...nothing, told: { minute: 0, open: 0 }, countedAt: this.#now() }
      this.#byStream.set(streamId, usage)
    }
    return usage
  }

  #count(usage: Usage): void {
    const now = this.#now()
    usage.subscriberMs += usage.open * Math.max(0, now - usage.countedAt)
    usage.countedAt = now
  }
}

/** `opened`: how many more are open than this process said in this minute. Those of all processes add up. */
function usageRow(
  stream_id: string,
  { open, told, connections, snapshots, wireBytes, slow, subscriberMs }: Usage,
  minute: number,
) {
  return {
    stream_id,
    open,
    opened: told.minute === minute ? open - told.open : open,
    connections,
    snapshots,
    wire_bytes: wireBytes,
    slow,
    subscriber_ms: Math.round(subscriberMs),
  }
}

async function writeUsage(
  db: Database,
  now: Date,
  rows: readonly ReturnType<typeof usageRow>[],
): Promise<Seen[]> {
  const result = (await db.execute(sql`
    WITH used AS (
      SELECT * FROM json_to_recordset(${JSON.stringify(rows)}::json) AS row(stream_id uuid, open int,
        opened int, connections bigint, snapshots bigint, wire_bytes bigint, slow bigint, subscriber_ms bigint)
    ), added AS (
      INSERT INTO weir.fanouts AS fanout (stream_id, minute, open, connections, snapshots, wire_bytes, slow,
        subscriber_ms)
      SELECT used.stream_id, date_trunc('minute', ${now.toISOString()}::timestamptz),
        opened, connections, snapshots, wire_bytes, slow, subscriber_ms
      FROM used JOIN weir.streams AS stream ON stream.id = used.stream_id
      ON CONFLICT (stream_id, minute) DO UPDATE SET
        open = fanout.open + excluded.open, connections = fanout.connections + excluded.connections,
        snapshots = fanout.snapshots + excluded.snapshots,
        wire_bytes = fanout.wire_bytes + excluded.wire_bytes, slow = fanout.slow + excluded.slow,
        subscriber_ms = fanout.subscriber_ms + excluded.subscriber_ms
    ), touched AS (
      UPDATE weir.states AS state SET subscribed_at = ${now.toISOString()}::timestamptz
      FROM used WHERE state.stream_id = used.stream_id AND used.open > 0 AND state.subscribed_at IS NOT NULL
    )
    SELECT used.stream_id, used.open, stream.desired
    FROM used LEFT JOIN weir.streams AS stream ON stream.id = used.stream_id`)) as {
    rows: { stream_id: string; open: number; desired: Stream['desired'] | null }[]
  }
  return result.rows.map((row) => ({
    streamId: row.stream_id,
    open: row.open,
    desired: row.desired ?? undefined,
  }))
}
