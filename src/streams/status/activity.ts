import { sql } from 'drizzle-orm'
import { rollups, streams } from '../../../drizzle/schema.ts'
import type { Database } from '../../storage/storage.ts'

/** Minutes that are looked back. */
export const ACTIVITY_MINUTES = 60
/** Streams that are remembered until the minute is over; those beyond are read anew. */
const MAX_REMEMBERED = 10_000
const MINUTE_MS = 60_000

/** Events or answered polls of each minute of a stream's last hour: whole minutes, so that each is read once a minute. */
export class Activity {
  readonly #db: Database
  #minute = 0
  readonly #known = new Map<string, readonly number[]>()

  constructor(db: Database) {
    this.#db = db
  }

  /** The last hour of each stream, the oldest minute first; one query for those that aren't known yet. */
  async of(ids: readonly string[], now: number): Promise<Map<string, readonly number[]>> {
    const minute = Math.floor(now / MINUTE_MS)
    if (minute !== this.#minute) this.#known.clear()
    this.#minute = minute
    const missing = ids.filter((id) => !this.#known.has(id))
    const read = missing.length === 0 ? new Map<string, number[]>() : await this.#read(missing, minute)
    if (this.#known.size + read.size > MAX_REMEMBERED) this.#known.clear()
    // Another minute may have begun while they were read.
    if (minute === this.#minute) for (const [id, values] of read) this.#known.set(id, values)
    return new Map(ids.map((id) => [id, read.get(id) ?? this.#known.get(id) ?? NONE]))
  }

  async #read(ids: readonly string[], minute: number): Promise<Map<string, number[]>> {
    const [from, to] = [minute - ACTIVITY_MINUTES, minute].map((each) =>
      new Date(each * MINUTE_MS).toISOString(),
    )
    const count = sql`CASE ${streams.kind} WHEN 'sse' THEN ${rollups.events} ELSE ${rollups.polls} END`
    const index = sql`(extract(epoch FROM ${rollups.minute} - ${from}::timestamptz) / 60)::int`
    // As one text per stream: thousands of rows take longer to read than to sum.
    const rows = await this.#db
      .select({ id: rollups.streamId, counts: sql<string>`string_agg(${index} || ' ' || ${count}, ',')` })
      .from(rollups)
      .innerJoin(streams, sql`${streams.id} = ${rollups.streamId}`)
      .where(
        sql`${rollups.streamId} = ANY (${`{${ids.join(',')}}`}::uuid[])
          AND ${rollups.minute} >= ${from}::timestamptz AND ${rollups.minute} < ${to}::timestamptz`,
      )
      .groupBy(rollups.streamId)
    const read = new Map(ids.map((id) => [id, [...NONE]]))
    for (const { id, counts } of rows) fill(read.get(id) ?? [], counts)
    return read
  }
}

const NONE: readonly number[] = Array.from({ length: ACTIVITY_MINUTES }, () => 0)

function fill(values: number[], counts: string): void {
  for (const pair of counts.split(',')) {
    const [index, count] = pair.split(' ').map(Number)
    if (index !== undefined && index < values.length) values[index] = count ?? 0
  }
}
