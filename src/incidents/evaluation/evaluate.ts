import { eq, inArray, lt, sql } from 'drizzle-orm'
import { incidents, rules } from '../../../drizzle/schema.ts'
import type { Notifier } from '../../channels/notifier.ts'
import { LOCKS } from '../../storage/locks.ts'
import type { Database } from '../../storage/storage.ts'
import { tell } from '../notify.ts'
import { listRules, type Rule } from '../rules.ts'
import { type Incident, incidentOf, open, resolve, saveSteps, stepAll, worsen, writeAlarms } from './apply.ts'
import { attach } from './attach.ts'
import { tryCondition } from './conditions.ts'
import { type CanConnect, isOutside } from './egress-check.ts'
import { type Finding, VERDICT_THRESHOLDS, verdictFindings } from './findings.ts'
import { isDue, ruleFindings } from './rule-evaluation.ts'
import { EGRESS, HOST_KEY, stepShared } from './shared-causes.ts'
import { type Fleet, fleetOf } from './standing.ts'

export interface LookDeps {
  db: Database
  /** Milliseconds since the epoch. */
  now(): number
  notifier: Pick<Notifier, 'responsible' | 'store' | 'deliver'>
  /** Where the console is, for links. */
  url(): string
  settings: IncidentSettings
  canConnect?: CanConnect
}

export interface IncidentSettings {
  /** How long an incident waits for others to be told of together, in milliseconds. */
  groupWaitMs: number
  /** How long after people were told, or reminded, they are reminded, in milliseconds. */
  remindMs: number
  /** `host` or `host:port` that Weir's own way out is tried with; none: the streams themselves are judged by. */
  egressCheckHosts: readonly string[]
}

/** How long a problem that is over is kept, in milliseconds, and how many are removed at a time. */
const KEEP_MS = 400 * 86_400_000
const FORGET_LIMIT = 5_000
const DEFAULT_CHANGED_EVERY_MS = 5 * 60_000

/**
 * Looks at all streams by all rules: opens and ends incidents, then tells whom they concern.
 *
 * What was seen is stored in one transaction, what was told in another with the deliveries themselves. Whatever ends
 * the process in between, the next look goes on from what is stored: an incident that nobody was told of still says so.
 * @returns `busy` when another process was at it
 */
export async function lookAround(deps: LookDeps): Promise<'looked' | 'busy'> {
  const { db, settings } = deps
  const now = deps.now()
  const isReachable = await isOutside(settings.egressCheckHosts, deps.canConnect)
  for (const rule of await listRules(db))
    if (rule.isEnabled && rule.kind === 'condition') await tryCondition(db, rule)
  const fleet = await db.transaction(async (tx) => {
    const { rows } = (await tx.execute(
      sql`SELECT pg_try_advisory_xact_lock(${LOCKS.evaluation}) AS got`,
    )) as {
      rows: { got: boolean }[]
    }
    return rows[0]?.got ? look(tx, isReachable, now) : undefined
  })
  if (fleet === undefined) return 'busy'
  await tell(deps, fleet.hosts, isReachable)
  return 'looked'
}

/** Removes incidents that were over long ago, some at a time. */
export async function forgetIncidents({ db, now }: Pick<LookDeps, 'db' | 'now'>): Promise<number> {
  const old = db
    .select({ id: incidents.id })
    .from(incidents)
    .where(lt(incidents.resolvedAt, new Date(now() - KEEP_MS)))
    .limit(FORGET_LIMIT)
  return (await db.delete(incidents).where(inArray(incidents.id, old)).returning({ id: incidents.id })).length
}

async function look(tx: Database, isReachable: boolean | undefined, now: number): Promise<Fleet> {
  const fleet = await fleetOf(tx, now)
  const shared = await stepShared(tx, fleet, isReachable, now)
  await resolve(tx, shared.resolved, now)
  await open(tx, shared.opened, now)
  await grow(tx, fleet)
  await worsen(tx, now)
  await saveSteps(tx, stepAll(await verdictFindings(tx, now), VERDICT_THRESHOLDS, now), now)
  for (const rule of await listRules(tx)) if (isDue(rule, now)) await lookBy(tx, rule, now)
  await attach(tx, now)
  return fleet
}

async function lookBy(tx: Database, rule: Rule, now: number): Promise<void> {
  const findings = await ruleFindings(tx, rule, now)
  if (rule.kind === 'changed') {
    await tellChanges(tx, findings, rule.params.everyMs ?? DEFAULT_CHANGED_EVERY_MS, now)
  } else {
    const thresholds = { failure: rule.failureThreshold, success: rule.successThreshold }
    const named = (detail: string) => `${rule.name}: ${detail}`
    const steps = stepAll(findings, thresholds, now)
    const opened = steps.opened.map((incident) => ({ ...incident, detail: named(incident.detail) }))
    await saveSteps(tx, { ...steps, opened }, now)
  }
  await tx
    .update(rules)
    .set({ lookedAt: new Date(now) })
    .where(eq(rules.id, rule.id))
}

/**
 * A change is over as soon as it is there: an incident that opens and ends at once. The first that is seen of a stream
 * is where it stands; what changes again too soon is told with the next change after the wait.
 */
async function tellChanges(
  tx: Database,
  findings: readonly Finding[],
  everyMs: number,
  now: number,
): Promise<void> {
  const left = findings.filter(({ look }) => look === 'none')
  const changes: Incident[] = []
  const seen = findings.flatMap((finding) => {
    const { look, memory, since = 0, alarm } = finding
    if (look === 'none') return []
    const isFirst = memory.seenAt === undefined
    const waited = now - (memory.toldAt ?? Number.NEGATIVE_INFINITY)
    if (!isFirst && waited >= 0 && waited < everyMs) return []
    if (!isFirst) changes.push({ ...incidentOf(finding, 'changed', now), detail: changedAt(since) })
    const toldAt = isFirst ? undefined : now
    return [{ finding, alarm, memory: { seenAt: since, toldAt } }]
  })
  await writeAlarms(tx, seen, now)
  await saveSteps(tx, stepAll(left, VERDICT_THRESHOLDS, now), now)
  await open(tx, changes, now, true)
}

function changedAt(at: number): string {
  return `Its last change came at ${new Date(at).toISOString()}.`
}

/** A host that is down takes more streams with it: says how many it are by now. */
async function grow(tx: Database, { hosts }: Fleet): Promise<void> {
  const failing = hosts.filter((host) => host.failing > 0)
  if (failing.length === 0) return
  const all = failing.reduce((sum, host) => sum + host.failing, 0)
  const total = hosts.reduce((sum, host) => sum + host.total, 0)
  const rows = [
    ...failing.map((host) => ({
      key: HOST_KEY + host.host,
      affected: host.failing,
      title: `${host.host}: ${host.failing} of ${host.total} streams fail`,
    })),
    { key: EGRESS, affected: all, title: `Weir reaches nothing: ${all} of ${total} streams fail` },
  ]
  await tx.execute(sql`
    UPDATE weir.incidents incident SET affected = row.affected, title = row.title
    FROM json_to_recordset(${JSON.stringify(rows)}::json) AS row(key text, affected int, title text)
    WHERE incident.resolved_at IS NULL AND incident.key = row.key AND incident.affected < row.affected`)
}
