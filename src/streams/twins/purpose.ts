import { sql } from 'drizzle-orm'
import type { Database } from '../../storage/storage.ts'
import type { Stream } from '../ingest/run.ts'

/** What a stream is for that nobody registered as such. */
export interface Purpose {
  /** A twin; what the proxy polls for a twin; or what it polls for other subscribers. */
  is: 'twin' | 'feed of a twin' | 'proxied'
  /** The registered stream that has the twin; omitted for other proxied ones. */
  of?: { id: string; name: string }
}

type Asked = Pick<Stream, 'id' | 'twinOf' | 'proxyKey'>

/** The purposes of those of the streams that have one, by ID. */
export async function purposesOf(db: Database, streams: readonly Asked[]): Promise<Map<string, Purpose>> {
  const ids = streams
    .filter(({ twinOf, proxyKey }) => twinOf !== null || proxyKey !== null)
    .map(({ id }) => id)
  if (ids.length === 0) return new Map()
  // A twin reads the proxy, which polls the same URL at the same interval, with the same headers, for it.
  const { rows } = (await db.execute(sql`
    SELECT stream.id, stream.twin_of IS NOT NULL AS is_twin, polled.id AS of_id, polled.name AS of_name
    FROM weir.streams AS stream
    LEFT JOIN LATERAL (
      SELECT twin.twin_of FROM weir.streams AS twin
      WHERE twin.twin_of IS NOT NULL AND stream.proxy_key IS NOT NULL AND twin.url = stream.url
        AND twin.interval_ms = stream.interval_ms AND twin.headers = stream.headers LIMIT 1
    ) AS fed ON true
    LEFT JOIN weir.streams AS polled ON polled.id = coalesce(stream.twin_of, fed.twin_of)
    WHERE stream.id = ANY (${`{${ids.join(',')}}`}::uuid[])`)) as { rows: PurposeRow[] }
  return new Map(rows.map((row) => [row.id, purposeIn(row)]))
}

interface PurposeRow {
  id: string
  is_twin: boolean
  of_id: string | null
  of_name: string | null
}

function purposeIn({ is_twin: isTwin, of_id: id, of_name: name }: PurposeRow): Purpose {
  const of = id === null || name === null ? {} : { of: { id, name } }
  if (isTwin) return { is: 'twin', ...of }
  return id === null ? { is: 'proxied' } : { is: 'feed of a twin', ...of }
}
