import type { Finding } from '../core/findings.ts'
import { causeOf } from '../errors.ts'
import { lastMigration, schemaOf } from '../storage/migrations.ts'
import { openPostgres } from '../storage/postgres.ts'
import type { Storage } from '../storage/storage.ts'

/** Leases and heartbeats compare this machine's clock with those of others. */
const CLOCK_WARNING_MS = 1_000
const CLOCK_ERROR_MS = 5_000

/** Checks the Postgres server of `DATABASE_URL`: whether it responds, its schema, and its clock. */
export async function checkDatabase(url: string): Promise<Finding[]> {
  let storage: Storage | undefined
  try {
    storage = await openPostgres(url)
    return [await checkAnswer(storage), await checkSchema(storage), await checkClock(storage)]
  } catch (error) {
    const detail = storage === undefined ? (error as Error).message : `A query failed (${causeOf(error)}).`
    return [{ check: 'database', status: 'error', detail }]
  } finally {
    await storage?.close()
  }
}

async function checkAnswer({ pool, description }: Storage): Promise<Finding> {
  const startedAt = performance.now()
  const { rows } = await pool.query('SHOW server_version')
  const queryMs = Math.round((performance.now() - startedAt) * 100) / 100
  const detail = `${description} runs Postgres ${rows[0].server_version} and responds in ${queryMs} ms.`
  return { check: 'database', status: 'ok', detail, measured: { queryMs } }
}

async function checkSchema({ db }: Storage): Promise<Finding> {
  const [found, needed] = [await schemaOf(db), lastMigration()]
  const detail =
    found === 0
      ? "The schema doesn't exist yet; the first start creates it."
      : found < needed
        ? 'The schema is from an earlier version; the next start migrates it.'
        : found > needed
          ? 'The schema is from a later version. Run that version, or restore a backup into a new database.'
          : 'The schema is up to date.'
  return { check: 'schema', status: found > needed ? 'warning' : 'ok', detail }
}

async function checkClock({ pool }: Storage): Promise<Finding> {
  const sentAt = Date.now()
  const { rows } = await pool.query('SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now')
  return clockFinding(Math.round(Number(rows[0].now) - (sentAt + Date.now()) / 2))
}

/** @param offsetMs how far the database's clock is ahead */
export function clockFinding(offsetMs: number): Finding {
  const off = Math.abs(offsetMs)
  const status = off > CLOCK_ERROR_MS ? 'error' : off > CLOCK_WARNING_MS ? 'warning' : 'ok'
  const found = `The database's clock is ${off} ms ${offsetMs < 0 ? 'behind' : 'ahead'}.`
  const detail = status === 'ok' ? found : `${found} Synchronize both machines with NTP.`
  return { check: 'clock', status, detail, measured: { offsetMs } }
}
