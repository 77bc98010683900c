import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { openQueueEngine } from '../../../src/queue/open.ts'
import { SILENT_LOG } from '../../../src/storage/log.ts'
import { openStorage } from '../../../src/storage/open.ts'
import { accountFor } from '../../../src/storage/server/account.ts'
import { dataPath, NAME, passwordOf } from '../../../src/storage/server/cluster.ts'
import { findPrograms } from '../../../src/storage/server/programs.ts'
import { run } from '../../../src/storage/server/run.ts'
import { startServer } from '../../../src/storage/server/server.ts'
import { newDataDir } from '../data-dir.ts'
import { startPostgres } from '../servers.ts'

/** A running server, on which databases are created by copying one that has Weir's schema. */
export interface Engine {
  /** @returns how to connect to it */
  create(name: string, isEmpty: boolean): Promise<string>
  drop(name: string): Promise<void>
  stop(): Promise<void>
}

/** For as many databases as there are test files at a time; nothing on it has to survive. */
const SETTINGS = ['max_connections=400', 'shared_buffers=128MB', 'fsync=off', 'full_page_writes=off']
/** Weir's role in the copy of its database, which is only that of a test. */
const ACCESS = `local all ${NAME} scram-sha-256\n`

/** Weir's own Postgres with its own settings, apart from {@link SETTINGS}. */
export async function startEmbedded(): Promise<Engine> {
  const dataDir = await newDataDir('weir-embedded-')
  const directory = join(dataDir, 'database')
  const account = accountFor([directory])
  const cluster = { directory, account }
  const { postgres } = await findPrograms(dataDir, account)
  writeFileSync(join(directory, 'pg_hba.conf'), ACCESS)
  const args = ['--single', '-D', dataPath(cluster), NAME]
  await run({ program: postgres, args, directory, account, input: `ALTER ROLE ${NAME} CREATEDB\n` })
  const wrapper = join(directory, 'shared.sh')
  const options = SETTINGS.map((setting) => `-c ${setting}`).join(' ')
  writeFileSync(wrapper, `#!/bin/sh\nexec '${postgres}' "$@" ${options}\n`)
  chmodSync(wrapper, 0o755)
  const server = await startServer(cluster, {
    postgres: './shared.sh',
    log: SILENT_LOG,
    check: async () => {},
  })
  const urlOf = (name: string) =>
    `postgres://${NAME}:${passwordOf(dataDir)}@localhost/${name}?host=${encodeURIComponent(directory)}`
  // Weir's own Postgres has no other database to copy.
  return engine(urlOf, NAME, NAME, async () => {
    await server.close()
    rmSync(dataDir, { recursive: true, force: true })
  })
}

/** The installed Postgres. */
export async function startInstalled(): Promise<Engine> {
  const server = await startPostgres(SETTINGS)
  const urlOf = (name: string) => server.url.replace(/postgres$/, name)
  return engine(urlOf, 'postgres', 'template0', () => server.stop())
}

/**
 * Databases on a server.
 * @param first its first database, from which the others are administered
 * @param empty the one that an empty database is a copy of
 */
async function engine(
  urlOf: (name: string) => string,
  first: string,
  empty: string,
  stop: () => Promise<void>,
): Promise<Engine> {
  const admin = await connectTo(urlOf(first))
  await admin.query(`CREATE DATABASE weir_schema TEMPLATE ${empty}`)
  await fillSchema(urlOf('weir_schema'))
  // One statement at a time: a database can't be copied by two at once.
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = (statement: string) => {
    const done = last.then(() => admin.query(statement))
    last = done.catch(() => {})
    return done
  }
  return {
    async create(name, isEmpty) {
      await inTurn(`CREATE DATABASE ${name} TEMPLATE ${isEmpty ? empty : 'weir_schema'} STRATEGY FILE_COPY`)
      return urlOf(name)
    },
    async drop(name) {
      await inTurn(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    },
    async stop() {
      await last
      await admin.end()
      await stop()
    },
  }
}

async function connectTo(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString })
  client.on('error', () => {})
  await client.connect()
  return client
}

/** Weir's tables and those of its queue. */
async function fillSchema(databaseUrl: string): Promise<void> {
  const storage = await openStorage({ databaseUrl, dataDir: '' })
  await openQueueEngine(undefined, storage)
  await storage.close()
}
