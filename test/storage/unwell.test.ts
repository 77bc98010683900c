import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { Client } from 'pg'
import { createDatabase, POSTGRES_BIN, startPostgres, type TestServer } from '../support/servers.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

setDefaultTimeout(120_000)

const EVENT_EVERY_MS = 40
/** Longer than a statement waits for a lock, in milliseconds. */
const LOCKED_MS = 13_000
/** No superuser, who would be exempt from the limit on connections. */
const ROLE = 'plain'
const TABLES = ['entries', 'checkpoints', 'streams', 'runs', 'states']
/** No space, no memory, a serialization failure, a broken disk, a cancelled statement, a server that starts. */
const STATES = ['53100', '53200', '40001', '58030', '57014', '57P03']

describe.skipIf(POSTGRES_BIN === undefined)('while the database is unwell', () => {
  let postgres: TestServer
  let weir: TestWeir
  let upstream: Upstream
  let database = ''
  let admin: Client
  let id = ''
  let sent = 0
  let sending: Timer
  const feed = new Feed()

  beforeAll(async () => {
    postgres = await startPostgres()
    const address = await createDatabase(postgres)
    database = new URL(address).pathname.slice(1)
    admin = new Client({ connectionString: address })
    await admin.connect()
    await admin.query(`CREATE ROLE ${ROLE} LOGIN`)
    await admin.query(`ALTER DATABASE ${database} OWNER TO ${ROLE}`)
    upstream = startUpstream()
    const own = new URL(address)
    own.username = ROLE
    weir = await startTestWeir({ DATABASE_URL: own.href })
    const url = upstream.on('/events', () => feed.response())
    id = (await weir.register({ url, kind: 'sse' })).id
    await until('it follows', () => feed.readers > 0)
    sending = setInterval(() => feed.send(`id: ${++sent}\ndata: event ${sent}\n\n`), EVENT_EVERY_MS)
  })
  afterAll(async () => {
    clearInterval(sending)
    await weir.close()
    await admin.end()
    await upstream.stop()
    await postgres.stop()
  })

  const register = () =>
    weir.send('POST', '/api/streams', { url: 'http://127.0.0.1:1/', kind: 'poll', start: false })
  const disconnectWeir = () =>
    admin.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()',
      [database],
    )
  const stored = async () => {
    const { rows } = await admin.query(
      'SELECT kind, event_id FROM weir.entries WHERE stream_id = $1 ORDER BY seq',
      [id],
    )
    return rows as { kind: string; event_id: string | null }[]
  }

  /** Everything that was sent until now gets stored, once and in order; the connection stays, and nothing is missing. */
  async function expectAllStored(): Promise<void> {
    const last = String(sent)
    await until('the last event is stored', async () =>
      (await stored()).some(({ event_id }) => event_id === last),
    )
    const entries = await stored()
    const ids = entries.flatMap(({ event_id }) => event_id ?? [])
    expect(ids).toEqual(Array.from({ length: ids.length }, (_, at) => String(at + 1)))
    expect(entries.filter(({ kind }) => kind !== 'event').map(({ kind }) => kind)).toEqual(['exchange'])
    expect(feed.readers).toBe(1)
  }

  test('read-only: commands get 503, readiness says so, and nothing is lost', async () => {
    await admin.query(`ALTER DATABASE ${database} SET default_transaction_read_only = on`)
    await disconnectWeir()
    await until('commands are refused', async () => (await register()).status === 503)
    const { detail } = (await (await register()).json()) as { detail: string }
    expect(detail).toMatch(/^(Nothing was changed|The database is read-only)/)
    expect((await weir.get('/api/streams')).status).toBe(200)
    expect(await (await weir.get('/readyz')).json()).toMatchObject({
      status: 'not_ready',
      checks: expect.arrayContaining([{ name: 'database', ok: false, detail: 'Read-only.' }]),
    })
    await admin.query('SET default_transaction_read_only = off')
    await admin.query(`ALTER DATABASE ${database} RESET default_transaction_read_only`)
    await disconnectWeir()
    await expectAllStored()
    await until('commands work', async () => (await register()).status === 201)
  })

  test('without free connections: 503, and nothing is lost', async () => {
    await admin.query(`ALTER DATABASE ${database} CONNECTION LIMIT 0`)
    await disconnectWeir()
    await until('requests are refused', async () => (await weir.get('/api/streams')).status === 503)
    const before = sent
    await until('more was sent', () => sent > before + 20)
    await admin.query(`ALTER DATABASE ${database} CONNECTION LIMIT -1`)
    await expectAllStored()
    await until('requests work', async () => (await weir.get('/api/streams')).status === 200)
  })

  test('tables locked for longer than a statement waits: 503, and nothing is lost', async () => {
    await admin.query('BEGIN')
    await admin.query(
      `LOCK TABLE ${TABLES.map((table) => `weir.${table}`).join(', ')} IN ACCESS EXCLUSIVE MODE`,
    )
    const [command, page] = [register(), weir.get('/streams')]
    await Bun.sleep(LOCKED_MS)
    expect((await weir.get('/healthz')).status).toBe(200)
    await admin.query('COMMIT')
    expect([(await command).status, (await page).status]).toEqual([503, 503])
    await expectAllStored()
    await until('requests work', async () => (await weir.get('/streams')).status === 200)
  })

  test.each(STATES)('writes that fail with %s: 503, and nothing is lost', async (state) => {
    await admin.query(`CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '${state}'; END $$`)
    for (const table of ['entries', 'streams']) {
      await admin.query(
        `CREATE TRIGGER refuse BEFORE INSERT ON weir.${table} FOR EACH ROW EXECUTE FUNCTION public.refuse()`,
      )
    }
    const before = sent
    await until('more was sent', () => sent > before + 20)
    const refused = await register()
    expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([503, true])
    await admin.query('DROP FUNCTION public.refuse() CASCADE')
    await expectAllStored()
    // Nobody knows whether a request that failed has changed something.
    await until('the audit log has it', async () => {
      const { rows } = await admin.query('SELECT route, status FROM weir.audit ORDER BY at DESC LIMIT 1')
      return rows[0]?.route === '/api/streams' && rows[0]?.status === 503
    })
    expect((await register()).status).toBe(201)
  })

  test('connections ended again and again', async () => {
    for (let times = 0; times < 30; times++) {
      await disconnectWeir()
      await Bun.sleep(100)
    }
    await expectAllStored()
  })
})
