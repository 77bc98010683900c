import { sql } from 'drizzle-orm'
import type { Database } from '../../storage/storage.ts'
import { type Cause, EXPLAINED } from '../causes.ts'

/** What of an open incident decides which other one explains it. */
interface Node {
  id: string
  cause: Cause
  host: string | null
  parentId: string | null
}

/**
 * Attaches what a host that is down, or the way out, explains; what is no longer explained stands for itself again, and
 * it is noted since when. Of an outage these are thousands, and the database knows nothing of them yet to plan a join
 * by: what belongs to what is found here.
 */
export async function attach(tx: Database, now: number): Promise<void> {
  const { rows } = (await tx.execute(sql`
    SELECT id, cause, host, parent_id AS "parentId" FROM weir.incidents
    WHERE resolved_at IS NULL AND EXISTS (
      SELECT FROM weir.incidents WHERE resolved_at IS NULL AND (parent_id IS NOT NULL OR cause IN ('egress', 'host')))`)) as {
    rows: object[]
  }
  const moved = parentsOf(rows as Node[])
  if (moved.length === 0) return
  const released = JSON.stringify({ releasedAt: now })
  await tx.execute(sql`
    UPDATE weir.incidents incident SET parent_id = row."parentId",
      evidence = CASE WHEN row."parentId" IS NULL THEN coalesce(evidence, '{}') || ${released}::jsonb ELSE evidence END
    FROM json_to_recordset(${JSON.stringify(moved)}::json) AS row(id uuid, "parentId" uuid)
    WHERE incident.id = row.id`)
}

/** Those whose parent is another one now, or none. */
function parentsOf(open: readonly Node[]): Pick<Node, 'id' | 'parentId'>[] {
  const ids = new Set(open.map(({ id }) => id))
  const egress = open.find(({ cause }) => cause === 'egress')?.id
  const hosts = new Map(
    open.flatMap(({ id, cause, host }) => (cause === 'host' ? [[host, id] as const] : [])),
  )
  return open.flatMap(({ id, cause, host, parentId }) => {
    if (parentId !== null && ids.has(parentId)) return []
    const isExplained = EXPLAINED.includes(cause)
    const ofHost = isExplained ? hosts.get(host) : undefined
    const parent = (isExplained || cause === 'host' ? egress : undefined) ?? ofHost ?? null
    return parent === parentId ? [] : [{ id, parentId: parent }]
  })
}
