import { type SQL, sql } from 'drizzle-orm'
import { type Alarm, AT_REST, type Evaluation, type Thresholds } from '../../core/judging/alarm.ts'
import type { Database } from '../../storage/storage.ts'
import { type Cause, DEGRADED_RULE, STATUS_RULE } from '../causes.ts'
import { IS_UP, standings } from './standing.ts'

/** What one evaluation of one rule finds about one stream, with the result of earlier evaluations. */
export interface Finding {
  streamId: string
  name: string
  host: string | null
  /** ID of the rule, or the name of the built-in one. */
  rule: string
  look: Evaluation
  cause: Cause
  /** Why, as a sentence for people. */
  detail: string
  /** Since when it is bad, or good again, as far as that is known, milliseconds since the epoch. */
  since: number | undefined
  alarm: Alarm
  memory: Memory
}

/** What a rule remembers about a stream beyond its alarm. */
export interface Memory {
  isFlapping?: boolean
  /** The last change that was evaluated, and the last notification of one; milliseconds since the epoch. */
  seenAt?: number
  toldAt?: number
  /** Last result of a condition on the document. */
  isBad?: boolean
  found?: string
}

/** Maximum number of streams in one evaluation: the rest of an outage comes with the next one. */
export const MAX_FINDINGS = 20_000
/** Silence can end with the next byte: 15 s of it open an incident, and 10 s without it resolve that. */
export const STATUS_THRESHOLDS: Thresholds = { failure: 3, success: 2 }
/** A dead or degraded stream has failed for long enough by the limits of its owner. */
const CERTAIN_THRESHOLDS: Thresholds = { failure: 1, success: 2 }

export function statusThresholds({ cause }: Pick<Finding, 'cause'>): Thresholds {
  return cause === 'stalled' ? STATUS_THRESHOLDS : CERTAIN_THRESHOLDS
}

/** A row of a rule's query. */
export interface FindingRow {
  id: string
  name: string | null
  host: string | null
  look: Evaluation | null
  detail: string | null
  since: number | null
  cause: Cause | null
  is_firing: boolean | null
  streak: number | null
  flips: string[] | null
  memory: Memory | null
}

/** The findings of the built-in rule, without streams that have nothing new. */
export async function statusFindings(tx: Database, now: number): Promise<Finding[]> {
  const looks = sql`
    SELECT id, name, host, verdict_reason AS detail, CASE verdict WHEN 'dead' THEN 'dead' ELSE 'stalled' END AS cause,
      CASE WHEN standing = 'degraded' THEN recovered_at ELSE coalesce(failing_since, ${VERDICT_SINCE}) END::float8 AS since,
      CASE WHEN standing = 'down' THEN 'bad' WHEN ${IS_UP} THEN 'good' WHEN standing = 'resting' THEN 'none' ELSE 'unknown' END
        AS look
    FROM ${standings(now)} AS standing`
  return findingsOf(tx, STATUS_RULE, 'stalled', looks)
}

/** The findings about degraded streams. One that is dead meanwhile may be either. */
export async function degradedFindings(tx: Database, now: number): Promise<Finding[]> {
  const looks = sql`
    SELECT id, name, host, verdict_reason AS detail, 'degraded' AS cause, ${VERDICT_SINCE}::float8 AS since,
      CASE standing WHEN 'degraded' THEN 'bad' WHEN 'up' THEN 'good' WHEN 'resting' THEN 'none' ELSE 'unknown' END AS look
    FROM ${standings(now)} AS standing
    WHERE standing = 'degraded' OR id IN (SELECT stream_id FROM weir.alarms WHERE rule = ${DEGRADED_RULE})`
  return findingsOf(tx, DEGRADED_RULE, 'degraded', looks)
}

const VERDICT_SINCE = sql`extract(epoch FROM verdict_since) * 1000`

/** Joins findings with their rule's alarms, where one changes the other. A stream without a finding has left the rule. */
export async function findingsOf(
  tx: Database,
  rule: string,
  cause: Cause,
  looks: SQL,
  also: SQL = sql`false`,
): Promise<Finding[]> {
  const { rows } = (await tx.execute(sql`
    SELECT coalesce(looked.id, alarm.stream_id) AS id, looked.name, looked.host, looked.look, looked.detail,
      looked.since, looked.cause, alarm.is_firing, alarm.streak, alarm.flips, alarm.memory
    FROM (${looks}) AS looked
    FULL JOIN (SELECT * FROM weir.alarms WHERE rule = ${rule}) AS alarm ON alarm.stream_id = looked.id
    WHERE (looked.look = 'bad' AND (alarm.is_firing IS NOT TRUE OR alarm.streak > 0))
      OR (looked.look = 'good' AND (alarm.is_firing OR alarm.streak > 0))
      OR ((looked.look IS NULL OR looked.look = 'none') AND alarm.stream_id IS NOT NULL)
      OR jsonb_array_length(alarm.flips) > CASE WHEN alarm.is_firing THEN 1 ELSE 0 END
      OR (alarm.memory->>'isFlapping')::boolean
      OR ${also}
    ORDER BY alarm.streak DESC NULLS LAST LIMIT ${MAX_FINDINGS}`)) as { rows: FindingRow[] }
  return rows.map((row) => toFinding(row, rule, cause))
}

function toFinding(row: FindingRow, rule: string, cause: Cause): Finding {
  const memory = row.memory ?? {}
  const alarm = {
    isFiring: row.is_firing ?? false,
    streak: row.streak ?? 0,
    flips: (row.flips ?? []).map((at) => Date.parse(at)),
    isFlapping: memory.isFlapping ?? false,
  }
  return {
    streamId: row.id,
    name: row.name ?? '',
    host: row.host,
    rule,
    look: row.look ?? 'none',
    cause: row.cause ?? cause,
    detail: row.detail ?? '',
    since: row.since ?? undefined,
    alarm: row.is_firing === null ? AT_REST : alarm,
    memory,
  }
}
