import type { Pool, PoolClient } from 'pg'
import { sqlStateOf } from './sql-state.ts'

/**
 * What Postgres reports when its files aren't as it wrote them: a page that doesn't match its checksum, an index that
 * contradicts itself, a missing file.
 * @see https://www.postgresql.org/docs/18/errcodes-appendix.html
 */
const DAMAGES: ReadonlySet<string> = new Set(['XX001', 'XX002', '58P01'])
/** Different damages that are remembered; with more of them, the first ones say enough. */
const MAX_KNOWN = 100
/** How to go on with a damaged database. */
export const WAY_BACK =
  'Restore a backup into a new database: move the damaged one away, then run "weir restore FILE" (docs/backup.md).'

export interface Damage {
  /** What is damaged, in Postgres' words. */
  what: string
  /** When it was found first, in milliseconds since the epoch. */
  foundAt: number
}

/** Whether a statement failed because the database is damaged: a retry won't help. */
export function isDamage(error: unknown): boolean {
  return DAMAGES.has(sqlStateOf(error) ?? '')
}

/** What statements of this process found damaged, whoever ran them. */
export class DamageLog {
  readonly #found = new Map<string, Damage>()
  #report: (damage: Damage) => void = () => {}

  get found(): readonly Damage[] {
    return [...this.#found.values()]
  }

  /** Calls back with each damage once: with those found already, then with further ones. */
  reportTo(report: (damage: Damage) => void): void {
    for (const damage of this.#found.values()) report(damage)
    this.#report = report
  }

  /** Listens to what the server answers on every connection of a pool. */
  watch(pool: Pool): void {
    pool.on('connect', (client) => {
      const { connection } = client as PoolClient & { connection?: NodeJS.EventEmitter }
      connection?.on('errorMessage', ({ code, message }: { code: string; message: string }) => {
        if (DAMAGES.has(code)) void this.#add(message, pool)
      })
    })
  }

  async #add(message: string, pool: Pool): Promise<void> {
    if (this.#found.has(message) || this.#found.size >= MAX_KNOWN) return
    const damage = { what: message, foundAt: Date.now() }
    this.#found.set(message, damage)
    damage.what = await withTable(message, pool)
    this.#report(damage)
  }
}

/** Postgres names a file; people know tables. */
async function withTable(message: string, pool: Pool): Promise<string> {
  const file = /base\/\d+\/(\d+)/.exec(message)?.[1]
  if (file === undefined) return message
  const named = await pool
    .query('SELECT pg_filenode_relation(0, $1::oid)::regclass::text AS name', [file])
    .catch(() => undefined)
  const name = (named?.rows[0] as { name: string | null } | undefined)?.name
  return name == null ? message : `${message}, which is ${name}`
}
