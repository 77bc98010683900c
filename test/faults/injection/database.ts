import { Client } from 'pg'

/** Longest wait to get in, in milliseconds. */
const CONNECT_MS = 10_000
/** Longest recovery of a server, and how often it is tried, in milliseconds. */
const RECOVERED_MS = 20_000
const AGAIN_MS = 250
/** Connections tried beyond the server's limit: those of Weir come free while others are taken. */
const EXTRA = 60

/** Lets no session write unless it says so. */
export function makeReadOnly(url: string, forMs: number): Promise<void> {
  return within(url, async (client) => {
    // A session that is to end this must be able to write itself.
    await client.query('SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE')
    await client.query('ALTER SYSTEM SET default_transaction_read_only = on')
    await client.query('SELECT pg_reload_conf()')
    await Bun.sleep(forMs)
    await client.query('ALTER SYSTEM RESET default_transaction_read_only')
    await client.query('SELECT pg_reload_conf()')
  })
}

/** Keeps everybody else from reading and writing these tables, as a migration or a careless operator would. */
export function holdLocks(url: string, tables: readonly string[], forMs: number): Promise<void> {
  return within(url, async (client) => {
    await client.query('BEGIN')
    for (const table of tables) await client.query(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`)
    await Bun.sleep(forMs)
    await client.query('ROLLBACK')
  })
}

/** Takes every connection that the server has, also those of Weir. */
export function crowdOut(url: string, forMs: number): Promise<void> {
  return within(url, async (client) => {
    const { rows } = await client.query(`SELECT current_setting('max_connections')::int AS most`)
    const others = await crowd(url, rows[0].most)
    const { rows: own } = await client.query('SELECT pg_backend_pid() AS pid')
    const pids = [own[0].pid, ...others.map(({ processID }) => processID)]
    await client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND NOT pid = ANY($1)`,
      [pids],
    )
    others.push(...(await crowd(url, EXTRA)))
    await Bun.sleep(forMs)
    await Promise.all(others.map(leave))
  })
}

type Session = Client & { processID: number }

/** Connects until the server refuses, at most so often. */
async function crowd(url: string, most: number): Promise<Session[]> {
  const sessions: Session[] = []
  while (sessions.length < most) {
    const client = await enter(url).catch(() => undefined)
    if (client === undefined) break
    sessions.push(client as Session)
  }
  return sessions
}

async function within(url: string, deed: (client: Client) => Promise<void>): Promise<void> {
  const client = await enterPatiently(url)
  try {
    await deed(client)
  } finally {
    await leave(client)
  }
}

/** Connects as soon as a server that recovers from another fault lets anybody in. */
async function enterPatiently(url: string): Promise<Client> {
  for (const deadline = Date.now() + RECOVERED_MS; ; await Bun.sleep(AGAIN_MS)) {
    try {
      return await enter(url)
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
  }
}

async function enter(url: string): Promise<Client> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS })
  client.on('error', () => {})
  await client.connect()
  return client
}

async function leave(client: Client): Promise<void> {
  await client.end().catch(() => {})
}
