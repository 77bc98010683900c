import { and, count, desc, eq, gt, gte, ilike, inArray, lt, lte, or, type SQL, sql } from 'drizzle-orm'
import { audit } from '../../drizzle/schema.ts'
import { DAY_MS } from '../core/time.ts'
import { causeOf, Problem } from '../errors.ts'
import type { Database } from '../storage/storage.ts'
import type { Caller } from './caller.ts'

/** One change: who did what to which target, when and from where. Never what was sent. */
export type Deed = typeof audit.$inferSelect

/** A request about to be carried out. */
export interface Doing {
  caller: Caller
  method: string
  /** The route's pattern. */
  route: string
  /** ID of the target; undefined if it isn't known yet, or if there are several or none. */
  subject: string | undefined
  address: string
}

export interface AuditDeps {
  db: Database
  /** Milliseconds since the epoch. */
  now(): number
  warn(message: string, error?: unknown): void
}

/** Status of a request without an answer yet. It stays if the process ends first. */
export const UNANSWERED = 0
/** Maximum number of rows waiting to be stored; beyond it, requests that change something are refused. */
const MAX_WAITING = 10_000
/** Stored in one statement. */
const BATCH = 500
/** Routes on which services report themselves, up to every second: … */
const TELEMETRY: ReadonlySet<string> = new Set(['/v1/traces', '/api/topology', '/activate'])
/** … only one request per caller, route and address is recorded in this time, in milliseconds. */
const TELEMETRY_MS = 60_000
const MAX_RECENT = 1_000
/** Maximum rows kept per caller, whatever their age, so that no caller crowds out others; and in total. */
const MAX_ROWS = { ofCaller: 100_000, inAll: 1_000_000 }
/** Longest subject, in characters. */
const MAX_SUBJECT = 200
/** Lowest status that means that nothing was changed, and lowest of those after which nobody knows. */
const REFUSED = 400
const FAILED = 500

interface Waiting {
  deed: Deed
  stored: PromiseWithResolvers<void>
}

/** Records changes: the row is stored before anything is changed, and completed with the answer. */
export class Audit {
  readonly #deps: AuditDeps
  readonly #recent = new Map<string, number>()
  #waiting: Waiting[] = []
  #answered: Deed[] = []
  #storing: Promise<void> | undefined
  #completing: Promise<void> | undefined

  constructor(deps: AuditDeps) {
    this.#deps = deps
  }

  /**
   * Records a request about to be carried out, to be completed by {@link end}.
   * @returns undefined for telemetry that already has a row
   * @throws Problem `unavailable` if it can't be recorded: then it must not be carried out
   */
  async begin({ caller, subject, ...what }: Doing): Promise<Deed | undefined> {
    const report = `${caller.id} ${what.route} ${what.address}`
    const isTelemetry = TELEMETRY.has(what.route)
    if (isTelemetry && this.#isRecent(report)) return undefined
    if (this.#waiting.length >= MAX_WAITING) throw unrecorded()
    const deed: Deed = {
      ...{ id: Bun.randomUUIDv7(), at: new Date(this.#deps.now()), caller: caller.id, name: caller.name },
      ...{ ...what, subject: subjectOf(subject), status: UNANSWERED },
    }
    const stored = Promise.withResolvers<void>()
    this.#waiting.push({ deed, stored })
    this.#storing ??= this.#store()
    try {
      await stored.promise
    } catch (error) {
      if (isTelemetry) this.#recent.delete(report)
      throw error
    }
    return deed
  }

  /** Completes a row soon after the answer; the row of a refusal, which changed nothing, is removed. */
  end(deed: Deed, { status, subject }: { status: number; subject: string | undefined }): void {
    this.#answered.push({ ...deed, status, subject: subjectOf(subject) ?? deed.subject })
    this.#completing ??= this.#complete()
  }

  /** Resolves once all rows are complete, or can't be. */
  async settled(): Promise<void> {
    await this.#storing
    await this.#completing
  }

  async #store(): Promise<void> {
    const { db, warn } = this.#deps
    // Rows that arrive together are stored together.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH)
      try {
        await db.insert(audit).values(batch.map(({ deed }) => deed))
        for (const { stored } of batch) stored.resolve()
      } catch (error) {
        warn(`Refused a change because the audit log can't be written: ${causeOf(error)}`)
        for (const { stored } of batch) stored.reject(unrecorded())
      }
    }
    this.#storing = undefined
  }

  async #complete(): Promise<void> {
    const { db, warn } = this.#deps
    await Promise.resolve()
    while (this.#answered.length > 0) {
      const batch = this.#answered.splice(0, BATCH)
      try {
        await complete(db, batch)
      } catch (error) {
        warn(`${batch.length} audit log records couldn't be completed: ${causeOf(error)}`)
      }
    }
    this.#completing = undefined
  }

  #isRecent(report: string): boolean {
    const nowMs = this.#deps.now()
    if (nowMs - (this.#recent.get(report) ?? -Infinity) < TELEMETRY_MS) return true
    if (this.#recent.size >= MAX_RECENT) this.#recent.clear()
    this.#recent.set(report, nowMs)
    return false
  }
}

async function complete(db: Database, deeds: readonly Deed[]): Promise<void> {
  const isRefusal = ({ status }: Deed) => status >= REFUSED && status < FAILED
  const refused = deeds.filter(isRefusal)
  const done = deeds.filter((deed) => !isRefusal(deed))
  if (refused.length > 0) {
    const ids = refused.map(({ id }) => id)
    await db.delete(audit).where(inArray(audit.id, ids))
  }
  if (done.length === 0) return
  const rows = done.map(({ id, status, subject }) => sql`(${id}::uuid, ${status}::integer, ${subject}::text)`)
  await db.execute(sql`
    update ${audit} set status = ended.status, subject = ended.subject
    from (values ${sql.join(rows, sql`, `)}) as ended (id, status, subject)
    where ${audit.id} = ended.id`)
}

function subjectOf(subject: string | undefined): string | null {
  return subject?.slice(0, MAX_SUBJECT) ?? null
}

function unrecorded(): Problem {
  return new Problem('unavailable', "Nothing was changed: the audit log can't be written. Try again.")
}

export interface AuditAsked {
  /** Part of the caller's name, the route, the subject, or the address. */
  q?: string
  /** ID of the caller. */
  caller?: string
  from?: Date
  to?: Date
  /** ID of the row before the page. */
  after?: string
  limit: number
}

/** The newest first. */
export async function readAudit(db: Database, asked: AuditAsked): Promise<{ items: Deed[]; next?: string }> {
  const { q, caller, from, to, after, limit } = asked
  const where: (SQL | undefined)[] = [
    q === undefined ? undefined : containing(q),
    caller === undefined ? undefined : eq(audit.caller, caller),
    from && gte(audit.at, from),
    to && lte(audit.at, to),
    // IDs grow with time.
    after === undefined ? undefined : lt(audit.id, after),
  ]
  const rows = await db
    .select()
    .from(audit)
    .where(and(...where))
    .orderBy(desc(audit.id))
    .limit(limit + 1)
  const items = rows.slice(0, limit)
  return { items, next: rows.length > limit ? items.at(-1)?.id : undefined }
}

/** Removes rows older than `days`, the oldest of a caller with too many, and the oldest beyond the total. */
export async function forgetAudit(
  db: Database,
  nowMs: number,
  days: number,
  bounds: typeof MAX_ROWS = MAX_ROWS,
): Promise<void> {
  await db.delete(audit).where(lt(audit.at, new Date(nowMs - days * DAY_MS)))
  const busy = await db
    .select({ caller: audit.caller })
    .from(audit)
    .groupBy(audit.caller)
    .having(gt(count(), bounds.ofCaller))
  for (const { caller } of busy) await keepNewest(db, eq(audit.caller, caller), bounds.ofCaller)
  await keepNewest(db, undefined, bounds.inAll)
}

async function keepNewest(db: Database, which: SQL | undefined, rows: number): Promise<void> {
  const last = db
    .select({ id: audit.id })
    .from(audit)
    .where(which)
    .orderBy(desc(audit.id))
    .offset(rows)
    .limit(1)
  await db.delete(audit).where(and(which, sql`${audit.id} <= (${last})`))
}

function containing(text: string): SQL | undefined {
  const pattern = `%${text.replace(/[\\%_]/g, '\\$&')}%`
  const told = [audit.name, audit.route, audit.subject, audit.address]
  return or(...told.map((column) => ilike(column, pattern)), ilike(audit.method, pattern))
}
