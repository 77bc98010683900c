import { and, desc, eq, gte, ilike, lt, lte, or, type SQL, sql } from 'drizzle-orm'
import { audit } from '../../drizzle/schema.ts'
import { causeOf } from '../errors.ts'
import type { Database } from '../storage/storage.ts'
import type { Caller } from './caller.ts'

/** One thing that was done: who did what to which, when and from where. Never what was sent. */
export type Deed = typeof audit.$inferSelect

export interface Done {
  caller: Caller
  method: string
  /** The route's pattern. */
  route: string
  subject: string | undefined
  status: number
  address: string
}

export interface AuditDeps {
  db: Database
  /** Milliseconds since the epoch. */
  now(): number
  warn(message: string, error?: unknown): void
}

/** Waiting to be stored; beyond it the newest are lost, and Weir warns. */
const MAX_WAITING = 10_000
/** Stored in one statement. */
const BATCH = 500
/** Reports of services about themselves come by the second: … */
const TELEMETRY: ReadonlySet<string> = new Set(['/v1/traces', '/api/topology', '/activate'])
/** … of the same caller and address one in this time is told, in milliseconds. */
const TELEMETRY_MS = 60_000
const MAX_TOLD = 1_000
/** Rows kept whatever their age; beyond it the oldest go. */
const MAX_ROWS = 1_000_000
/** Longest subject, in characters. */
const MAX_SUBJECT = 200

/** Writes down who did what, soon after it was done; nobody waits for that. */
export class Audit {
  readonly #deps: AuditDeps
  readonly #waiting: Deed[] = []
  readonly #told = new Map<string, number>()
  #storing: Promise<void> | undefined

  constructor(deps: AuditDeps) {
    this.#deps = deps
  }

  note({ caller, method, route, subject, status, address }: Done): void {
    const { now, warn } = this.#deps
    if (TELEMETRY.has(route) && this.#isTold(`${caller.id} ${route} ${address}`)) return
    if (this.#waiting.length >= MAX_WAITING) {
      warn(`Not in the audit, too much waits: ${method} ${route} by ${caller.name}`)
      return
    }
    const at = new Date(now())
    const what = { method, route, subject: subject?.slice(0, MAX_SUBJECT) ?? null, status, address }
    this.#waiting.push({ id: Bun.randomUUIDv7(), at, caller: caller.id, name: caller.name, ...what })
    this.#storing ??= this.#store()
  }

  /** Resolves once all that was noted is stored, or can't be. */
  async settled(): Promise<void> {
    await this.#storing
  }

  async #store(): Promise<void> {
    const { db, warn } = this.#deps
    // What is noted in the same breath goes together.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH)
      try {
        await db.insert(audit).values(batch)
      } catch (error) {
        warn(`${batch.length} rows of the audit are lost: ${causeOf(error)}`)
      }
    }
    this.#storing = undefined
  }

  #isTold(name: string): boolean {
    const nowMs = this.#deps.now()
    if (nowMs - (this.#told.get(name) ?? -Infinity) < TELEMETRY_MS) return true
    if (this.#told.size >= MAX_TOLD) this.#told.clear()
    this.#told.set(name, nowMs)
    return false
  }
}

export interface AuditAsked {
  /** Part of the caller's name, the route, the subject, or the address. */
  q?: string
  /** Id of the caller. */
  caller?: string
  from?: Date
  to?: Date
  /** Id of the row before the page. */
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
    // Ids grow with time.
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

/** Takes away what is older than so many days, and the oldest of too many. */
export async function forgetAudit(db: Database, nowMs: number, days: number): Promise<void> {
  await db.delete(audit).where(lt(audit.at, new Date(nowMs - days * 86_400_000)))
  const last = db.select({ id: audit.id }).from(audit).orderBy(desc(audit.id)).offset(MAX_ROWS).limit(1)
  await db.delete(audit).where(sql`${audit.id} <= (${last})`)
}

function containing(text: string): SQL | undefined {
  const pattern = `%${text.replace(/[\\%_]/g, '\\$&')}%`
  const told = [audit.name, audit.route, audit.subject, audit.address]
  return or(...told.map((column) => ilike(column, pattern)), ilike(audit.method, pattern))
}
