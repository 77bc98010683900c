import { and, eq, inArray, isNull, sql } from 'drizzle-orm'
import { alarms, incidentEvents, incidents } from '../../../drizzle/schema.ts'
import { type Alarm, isAtRest, isOpen, step, type Thresholds } from '../../core/judging/alarm.ts'
import type { Database } from '../../storage/storage.ts'
import { type Cause, streamTitle } from '../causes.ts'
import type { Finding, Memory } from './findings.ts'

/** An incident that opens. */
export interface NewIncident {
  key: string
  cause: Cause
  title: string
  detail: string
  streamId: string | null
  host: string | null
  affected: number
  /** Start of the failure, milliseconds since the epoch. */
  since: number
  /** Further facts, stored with `since`. */
  evidence?: object
  /** Signs of life elsewhere after this are evidence that Weir's network works. Default: `since`. */
  provenAfter?: number
}

/** An incident to resolve. */
export interface Resolution {
  key: string
  /** When the trouble ended, milliseconds since the epoch; omitted: with the evaluation. */
  until?: number
}

/** The outcome of one rule's evaluation. */
export interface Steps {
  opened: NewIncident[]
  resolved: Resolution[]
  /** Incidents that continue with another cause. */
  renamed: Pick<NewIncident, 'key' | 'cause' | 'title'>[]
  alarms: { finding: Finding; alarm: Alarm; memory: Memory }[]
}

export function incidentKey({ rule, streamId }: Pick<Finding, 'rule' | 'streamId'>): string {
  return `${rule}:${streamId}`
}

/** Steps the alarm of each finding; pure. */
export function stepAll(
  findings: readonly Finding[],
  thresholdsOf: (finding: Finding) => Thresholds,
  now: number,
): Steps {
  const steps: Steps = { opened: [], resolved: [], renamed: [], alarms: [] }
  for (const finding of findings) {
    const { alarm: before, look } = finding
    const alarm = step(before, look, thresholdsOf(finding), now)
    const memory = { ...finding.memory, isFlapping: alarm.isFlapping || undefined }
    if (look === 'none' || !Bun.deepEquals(alarm, before)) steps.alarms.push({ finding, alarm, memory })
    const key = incidentKey(finding)
    const cause = alarm.isFlapping ? 'flapping' : finding.cause
    const title = streamTitle(finding.name, cause)
    if (isOpen(before) && !isOpen(alarm)) {
      steps.resolved.push({ key, until: look === 'good' ? finding.since : undefined })
    } else if (!isOpen(before) && isOpen(alarm)) steps.opened.push(incidentOf(finding, cause, now))
    else if (isOpen(alarm) && before.isFlapping !== alarm.isFlapping)
      steps.renamed.push({ key, cause, title })
  }
  return steps
}

export function incidentOf(finding: Finding, cause: Cause, now: number): NewIncident {
  const { streamId, host, detail, since = now } = finding
  const title = streamTitle(finding.name, cause)
  return { key: incidentKey(finding), cause, title, detail, streamId, host, affected: 1, since }
}

export async function saveSteps(tx: Database, steps: Steps, now: number): Promise<void> {
  await saveAlarms(tx, steps.alarms, now)
  await resolve(tx, steps.resolved, now)
  await open(tx, steps.opened, now)
  for (const { key, cause, title } of steps.renamed) {
    await tx
      .update(incidents)
      .set({ cause, title })
      .where(and(eq(incidents.key, key), isNull(incidents.resolvedAt)))
  }
}

/** Opens incidents; a key that already has an open one doesn't get another. */
export async function open(
  tx: Database,
  opened: readonly NewIncident[],
  now: number,
  isOver = false,
): Promise<void> {
  if (opened.length === 0) return
  const at = new Date(now)
  const rows = opened.map(({ since, provenAfter, evidence, ...incident }) => ({
    ...incident,
    id: Bun.randomUUIDv7('hex', at),
    evidence: { since, provenAfter, ...evidence },
  }))
  await tx.execute(sql`
    INSERT INTO weir.incidents (id, key, cause, title, detail, stream_id, host, affected, evidence, opened_at, resolved_at)
    SELECT id, key, cause, title, detail, "streamId", host, affected, evidence, ${at.toISOString()}::timestamptz,
      ${isOver ? at.toISOString() : null}::timestamptz
    FROM json_to_recordset(${JSON.stringify(rows)}::json) AS row(id uuid, key text, cause text, title text, detail text,
      "streamId" uuid, host text, affected int, evidence jsonb)
    ON CONFLICT (key) WHERE resolved_at IS NULL DO NOTHING`)
}

export async function resolve(tx: Database, resolved: readonly Resolution[], now: number): Promise<void> {
  if (resolved.length === 0) return
  await tx.execute(sql`
    UPDATE weir.incidents incident SET resolved_at = ${new Date(now).toISOString()}::timestamptz,
      evidence = coalesce(evidence, '{}') || jsonb_strip_nulls(jsonb_build_object('until',
        CASE WHEN row.until >= coalesce((evidence->>'since')::float8, 0) THEN row.until END))
    FROM json_to_recordset(${JSON.stringify(resolved)}::json) AS row(key text, until float8)
    WHERE incident.resolved_at IS NULL AND incident.key = row.key`)
}

/** A stalled stream became dead: the same problem, but worse. */
export async function worsen(tx: Database, now: number): Promise<void> {
  const stalled = await tx
    .select({ id: incidents.id, streamId: incidents.streamId })
    .from(incidents)
    .where(and(isNull(incidents.resolvedAt), eq(incidents.cause, 'stalled')))
  if (stalled.length === 0) return
  const { rows } = (await tx.execute(sql`
    UPDATE weir.incidents incident
    SET cause = 'dead', detail = state.verdict_reason, title = stream.name || ${streamTitle('', 'dead')}
    FROM json_to_recordset(${JSON.stringify(stalled)}::json) AS row(id uuid, "streamId" uuid)
    JOIN weir.states state ON state.stream_id = row."streamId" JOIN weir.streams stream ON stream.id = row."streamId"
    WHERE incident.id = row.id AND state.verdict = 'dead'
    RETURNING incident.id, state.verdict_reason AS note`)) as { rows: { id: string; note: string }[] }
  for (let from = 0; from < rows.length; from += ROWS_A_STATEMENT) {
    const values = rows.slice(from, from + ROWS_A_STATEMENT).map(({ id: incidentId, note }) => ({
      id: Bun.randomUUIDv7(),
      incidentId,
      at: new Date(now),
      kind: 'worsened' as const,
      note,
    }))
    await tx.insert(incidentEvents).values(values)
  }
}

/** Postgres takes 65,535 parameters. */
const ROWS_A_STATEMENT = 5_000

async function saveAlarms(tx: Database, changed: Steps['alarms'], now: number): Promise<void> {
  const isGone = ({ alarm, finding, memory }: Steps['alarms'][number]) =>
    finding.look === 'none' || isForgotten(alarm, memory)
  for (const [rule, list] of Map.groupBy(changed.filter(isGone), ({ finding }) => finding.rule)) {
    const ids = list.map(({ finding }) => finding.streamId)
    for (let from = 0; from < ids.length; from += ROWS_A_STATEMENT) {
      const some = ids.slice(from, from + ROWS_A_STATEMENT)
      await tx.delete(alarms).where(and(eq(alarms.rule, rule), inArray(alarms.streamId, some)))
    }
  }
  await writeAlarms(
    tx,
    changed.filter((each) => !isGone(each)),
    now,
  )
}

function isForgotten(alarm: Alarm, memory: Memory): boolean {
  return isAtRest(alarm) && Object.values(memory).every((value) => value === undefined)
}

export async function writeAlarms(tx: Database, changed: Steps['alarms'], now: number): Promise<void> {
  if (changed.length === 0) return
  const rows = changed.map(({ finding: { streamId, rule }, alarm: { isFiring, streak, flips }, memory }) => {
    const dates = flips.map((at) => new Date(at).toISOString())
    return { streamId, rule, isFiring, streak, flips: dates, memory }
  })
  await tx.execute(sql`
    INSERT INTO weir.alarms (stream_id, rule, is_firing, streak, flips, seen_at, memory)
    SELECT "streamId", rule, "isFiring", streak, flips, ${new Date(now).toISOString()}::timestamptz, memory
    FROM json_to_recordset(${JSON.stringify(rows)}::json)
      AS row("streamId" uuid, rule text, "isFiring" boolean, streak int, flips jsonb, memory jsonb)
    WHERE EXISTS (SELECT FROM weir.streams WHERE id = "streamId")
    ON CONFLICT (stream_id, rule) DO UPDATE SET is_firing = excluded.is_firing, streak = excluded.streak,
      flips = excluded.flips, seen_at = excluded.seen_at, memory = excluded.memory`)
}
