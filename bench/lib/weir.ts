import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { openAsItIs } from '../../src/storage/open.ts'
import { createDatabase, POSTGRES_BIN, startPostgres } from '../../test/support/servers.ts'
import { PeerMissing } from './bench.ts'
import { type Child, startChild } from './child.ts'

/** The database of a Weir. */
export type Setup = 'embedded' | 'postgres'

/** A Weir as people start it, measured together with its database. */
export interface MeasuredWeir {
  readonly child: Child
  readonly url: string
  /** Roots of its process trees. */
  readonly roots: readonly number[]
  readonly directory: string
  /** Its `DATABASE_URL`; `undefined` on the embedded database. */
  readonly databaseUrl: string | undefined
}

const PROFILE = ['--cpu-prof']

/**
 * Starts a Weir in its own directory.
 * @param preload a module that its process loads first
 * @throws PeerMissing if Postgres isn't installed
 */
export async function startWeir(
  setup: Setup,
  scope: AsyncDisposableStack,
  environment: Record<string, string> = {},
  preload?: string,
): Promise<MeasuredWeir> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-bench-'))
  scope.defer(() => rmSync(directory, { recursive: true, force: true }))
  const database = setup === 'postgres' ? await ownPostgres(scope) : undefined
  const settings = { DATA_DIR: directory, ...(database && { DATABASE_URL: database.url }), ...environment }
  const child = startMain(scope, settings, preload)
  const [, url = ''] = await child.said(/listening on (http:\S+)/)
  return {
    child,
    url: url.replace('localhost', '127.0.0.1'),
    roots: [child.pid, ...(database ? [database.pid] : [])],
    directory,
    databaseUrl: database?.url,
  }
}

/** Starts a process of Weir on a free port. */
export function startMain(
  scope: AsyncDisposableStack,
  environment: Record<string, string>,
  preload?: string,
): Child {
  const { WEIR_PROFILE: profiles } = process.env
  const flags = [
    ...(profiles === undefined ? [] : [...PROFILE, `--cpu-prof-dir=${profiles}`]),
    ...(preload === undefined ? [] : ['--preload', preload]),
  ]
  return startChild(['bun', ...flags, 'src/main.ts'], scope, { PORT: '0', ...environment })
}

/** A Postgres server for one bench, with a database. */
export interface OwnPostgres {
  readonly url: string
  readonly pid: number
  /** @returns the URL of another empty database */
  addDatabase(): Promise<string>
}

/** @throws PeerMissing if Postgres isn't installed */
export async function ownPostgres(scope: AsyncDisposableStack): Promise<OwnPostgres> {
  if (POSTGRES_BIN === undefined) throw new PeerMissing('postgres is not on the PATH')
  const server = await startPostgres()
  scope.defer(() => server.stop())
  const addDatabase = () => createDatabase(server)
  return { url: await addDatabase(), pid: server.pid, addDatabase }
}

/**
 * Registers streams and waits until all are stored.
 * @throws Error if one is rejected
 */
export async function register(url: string, registrations: readonly unknown[]): Promise<void> {
  const response = await fetch(`${url}/api/streams/import`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-ndjson', Accept: 'application/json' },
    body: registrations.map((each) => JSON.stringify(each)).join('\n'),
  })
  if (!response.ok) throw new Error(`import: ${response.status} ${await response.text()}`)
  const { totals, lines } = (await response.json()) as { totals: { created: number }; lines: unknown[] }
  if (totals.created !== registrations.length) throw new Error(`import: ${JSON.stringify(lines[0])}`)
}

/**
 * Shuts it down and queries its database.
 * @returns the rows
 */
export async function ask<Row>(
  { child, directory, databaseUrl }: MeasuredWeir,
  query: string,
): Promise<Row[]> {
  await child.end('SIGTERM')
  if (databaseUrl !== undefined) {
    const client = new Client({ connectionString: databaseUrl })
    await client.connect()
    const { rows } = await client.query(query)
    await client.end()
    return rows
  }
  const embedded = await openAsItIs({ databaseUrl: undefined, dataDir: directory })
  const { rows } = await embedded.pool.query(query)
  await embedded.close()
  return rows as Row[]
}
