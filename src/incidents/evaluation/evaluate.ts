import { eq, inArray, lt, sql } from 'drizzle-orm'
import { incidents, rules } from '../../../drizzle/schema.ts'
import type { Bus } from '../../bus/bus.ts'
import type { Notifier } from '../../channels/notifier.ts'
import { DAY_MS } from '../../core/time.ts'
import { transact } from '../../storage/errors/sql-state.ts'
import { LOCKS } from '../../storage/locks.ts'
import type { Database } from '../../storage/storage.ts'
import { tell } from '../notify.ts'
import { listRules, type Rule } from '../rules.ts'
import {
  incidentOf,
  type NewIncident,
  open,
  resolve,
  saveSteps,
  stepAll,
  worsen,
  writeAlarms,
} from './apply.ts'
import { attach } from './attach.ts'
import { evaluateCertificates } from './certificates.ts'
import { tryCondition } from './conditions.ts'
import { type CanConnect, isOutside } from './egress-check.ts'
import {
  degradedFindings,
  type Finding,
  STATUS_THRESHOLDS,
  statusFindings,
  statusThresholds,
} from './findings.ts'
import { isDue, ruleFindings } from './rule-evaluation.ts'
import { EGRESS, HOST_KEY, stepShared } from './shared-causes.ts'
import { type FailingFleet, fleetOf } from './standing.ts'

export interface EvaluationDeps {
  db: Database
  bus: Bus
  /** Milliseconds since the epoch. */
  now(): number
  notifier: Pick<Notifier, 'responsible' | 'store' | 'deliver'>
  /** URL of the console, for links. */
  url(): string
  settings: IncidentSettings
  canConnect?: CanConnect
}

export interface IncidentSettings {
  /** How long an incident waits for others to share a message, in milliseconds. */
  groupWaitMs: number
  /** Time from a notification or reminder to the next reminder, in milliseconds. */
  remindMs: number
  /** `host` or `host:port` that test Weir's outbound network; with none, the streams themselves are the evidence. */
  egressCheckHosts: readonly string[]
}

/** How long a resolved incident is kept, in milliseconds, and how many are removed at a time. */
const KEEP_MS = 400 * DAY_MS
const FORGET_LIMIT = 5_000
const DEFAULT_CHANGED_EVERY_MS = 5 * 60_000

/**
 * Evaluates all streams by all rules: opens and resolves incidents, then sends notifications.
 *
 * Findings are stored in one transaction, notifications in another, together with their deliveries. If the process ends
 * in between, the next evaluation continues from what is stored: an incident without a notification is still marked so.
 * Publishes `incident.updated` after each.
 * @returns `busy` when another process is evaluating
 */
export async function evaluateIncidents(deps: EvaluationDeps): Promise<'looked' | 'busy'> {
  const { db, bus, settings } = deps
  const now = deps.now()
  const isReachable = await isOutside(settings.egressCheckHosts, deps.canConnect)
  for (const rule of await listRules(db))
    if (rule.isEnabled && rule.kind === 'condition') await tryCondition(db, rule)
  const fleet = await transact(db, async (tx) => {
    const { rows } = (await tx.execute(
      sql`SELECT pg_try_advisory_xact_lock(${LOCKS.evaluation}) AS got`,
    )) as {
      rows: { got: boolean }[]
    }
    return rows[0]?.got ? evaluate(tx, isReachable, now) : undefined
  })
  if (fleet === undefined) return 'busy'
  bus.publish({ type: 'incident.updated' })
  await tell(deps, fleet.hosts, isReachable)
  bus.publish({ type: 'incident.updated' })
  return 'looked'
}

/** Removes incidents that were resolved long ago, some at a time. */
export async function forgetIncidents({
  db,
  bus,
  now,
}: Pick<EvaluationDeps, 'db' | 'bus' | 'now'>): Promise<number> {
  const old = db
    .select({ id: incidents.id })
    .from(incidents)
    .where(lt(incidents.resolvedAt, new Date(now() - KEEP_MS)))
    .limit(FORGET_LIMIT)
  const gone = await db.delete(incidents).where(inArray(incidents.id, old)).returning({ id: incidents.id })
  if (gone.length > 0) bus.publish({ type: 'incident.updated' })
  return gone.length
}

async function evaluate(tx: Database, isReachable: boolean | undefined, now: number): Promise<FailingFleet> {
  const fleet = await fleetOf(tx, now)
  const shared = await stepShared(tx, fleet, isReachable, now)
  await resolve(
    tx,
    shared.resolved.map((key) => ({ key })),
    now,
  )
  await open(tx, shared.opened, now)
  await grow(tx, fleet)
  await worsen(tx, now)
  const findings = [...(await statusFindings(tx, now)), ...(await degradedFindings(tx, now))]
  await saveSteps(tx, stepAll(findings, statusThresholds, now), now)
  for (const rule of await listRules(tx)) if (isDue(rule, now)) await evaluateRule(tx, rule, now)
  await evaluateCertificates(tx, now)
  await attach(tx, now)
  return fleet
}

async function evaluateRule(tx: Database, rule: Rule, now: number): Promise<void> {
  const findings = await ruleFindings(tx, rule, now)
  if (rule.kind === 'changed') {
    await tellChanges(tx, findings, rule.params.everyMs ?? DEFAULT_CHANGED_EVERY_MS, now)
  } else {
    const thresholds = () => ({ failure: rule.failureThreshold, success: rule.successThreshold })
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
 * A change is an incident that opens and resolves at once. The first evaluation of a stream only records where it
 * stands; changes that follow too soon are sent with the next change after the wait.
 */
async function tellChanges(
  tx: Database,
  findings: readonly Finding[],
  everyMs: number,
  now: number,
): Promise<void> {
  const left = findings.filter(({ look }) => look === 'none')
  const changes: NewIncident[] = []
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
  await saveSteps(
    tx,
    stepAll(left, () => STATUS_THRESHOLDS, now),
    now,
  )
  await open(tx, changes, now, true)
}

function changedAt(at: number): string {
  return `Last change at ${new Date(at).toISOString()}.`
}

/** A host outage may affect more streams over time: updates the number. */
async function grow(tx: Database, { hosts }: FailingFleet): Promise<void> {
  const failing = hosts.filter((host) => host.failing > 0)
  if (failing.length === 0) return
  const all = failing.reduce((sum, host) => sum + host.failing, 0)
  const total = hosts.reduce((sum, host) => sum + host.total, 0)
  const rows = [
    ...failing.map((host) => ({
      key: HOST_KEY + host.host,
      affected: host.failing,
      title: `${host.host}: ${host.failing} of ${host.total} streams failing`,
    })),
    { key: EGRESS, affected: all, title: `Outbound network is down: ${all} of ${total} streams failing` },
  ]
  await tx.execute(sql`
    UPDATE weir.incidents incident SET affected = row.affected, title = row.title
    FROM json_to_recordset(${JSON.stringify(rows)}::json) AS row(key text, affected int, title text)
    WHERE incident.resolved_at IS NULL AND incident.key = row.key AND incident.affected < row.affected`)
}
