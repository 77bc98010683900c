import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eq, sql } from 'drizzle-orm'
import {
  archiveDays,
  archives,
  attempts,
  channels,
  deliveries,
  incidents,
  runs,
  states,
  streams,
} from '../../drizzle/schema.ts'
import { parseColor } from '../../src/core/color.ts'
import { STATUS, STATUSES, type Status } from '../../src/core/sets/statuses.ts'
import { UsageMeter } from '../../src/proxy/usage.ts'
import { makePartitions } from '../../src/storage/partitions.ts'
import type { Storage } from '../../src/storage/storage.ts'
import type { Checkpoint, Stream } from '../../src/streams/ingest/run.ts'
import type { Draft } from '../../src/streams/recording/entry.ts'
import { storeEntries } from '../../src/streams/recording/store-entries.ts'
import { owedTallies, storeSums } from '../../src/streams/recording/store-rollups.ts'
import { insertStreams, newStream } from '../../src/streams/registry/new-stream.ts'
import { MAX_CHANNELS_DRAWN } from '../../src/topology/own/channels.ts'
import { domainOf, MAX_HOSTS } from '../../src/topology/own/host-parts.ts'
import { ownParts, ownPartsThen } from '../../src/topology/own/parts.ts'
import { statusCss } from '../../views/layout/status-css.ts'
import { openStorage } from '../support/data-dir.ts'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'

const MINUTE_MS = 60_000
/** Within a minute that is long enough under way. */
const NOW = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS + 30_000
const HTML = '<img src=x onerror=alert(1)>"]; click A href "javascript:alert(1)"'

describe.each(SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let directory: string
    let storage: Storage

    beforeAll(async () => {
      services = await setup.open()
      directory = mkdtempSync(join(tmpdir(), 'weir-own-'))
      storage = await openStorage({ databaseUrl: services.environment.DATABASE_URL, dataDir: directory })
      await makePartitions(storage.db, NOW)
    })

    afterAll(async () => {
      await storage.close()
      await services.close()
      rmSync(directory, { recursive: true, force: true })
    })

    beforeEach(async () => {
      for (const table of [streams, channels, archives, archiveDays]) await storage.db.delete(table)
    })

    /** Registers streams an hour ago that have been running, and are judged so, ever since. */
    async function following(
      said: Partial<Stream> & Pick<Stream, 'url'>,
      status: Status = 'live',
      reason = 'Said so.',
      since = NOW - 3_600_000,
    ): Promise<Stream> {
      const [stream] = (await insertStreams(storage.db, [
        newStream({ kind: 'poll', createdAt: new Date(NOW - 3_600_000), ...said }),
      ])) as [Stream]
      await storage.db
        .update(states)
        .set({ status, statusReason: reason, statusSince: new Date(since) })
        .where(eq(states.streamId, stream.id))
      return stream
    }

    const seqs = new Map<string, number>()
    /** Stores what a stream received. */
    async function received({ id }: Stream, drafts: readonly Partial<Draft>[]): Promise<void> {
      const summedSeq = seqs.get(id) ?? 0
      const batch = drafts.map((draft) => {
        const seq = (seqs.get(id) ?? 0) + 1
        seqs.set(id, seq)
        const base = { at: NOW - 1_000, kind: 'exchange', wireBytes: 1, bodyBytes: 1 } as const
        return {
          entry: { ...base, ...draft, streamId: id, epoch: 0, seq },
          checkpoint: { seq } as Checkpoint,
        }
      })
      await storeEntries(storage.db, batch)
      const tallies = await owedTallies(storage.db, [{ streamId: id, seq: seqs.get(id) ?? 0, summedSeq }])
      await storeSums(
        storage.db,
        [...tallies].map(([streamId, tally]) => ({ streamId, epoch: 0, tally })),
      )
    }
    const answered = (durationMs: number, at = NOW - 1_000): Partial<Draft> => ({
      at,
      exchange: {
        request: { method: 'GET', url: 'http://a.test/', headers: {} },
        response: { status: 200, headers: {}, firstByteMs: 1, durationMs },
      },
    })
    const failed = (at = NOW - 1_000): Partial<Draft> => ({ at, kind: 'error', data: '{}' })
    const drawn = async (options = { hasArchive: false }) => {
      const graph = await ownParts(storage.db, NOW, options)
      return {
        ...graph,
        service: (id: string) => graph.services.find((service) => service.id === `weir:${id}`),
        call: (id: string) => graph.calls.find((call) => call.to === `weir:${id}`),
      }
    }

    test('a Weir that follows nothing draws nothing', async () => {
      expect(await drawn({ hasArchive: true })).toMatchObject({ services: [], calls: [] })
      await following({ url: 'http://a.test/', desired: 'stopped' }, 'stopped')
      expect(await drawn({ hasArchive: true })).toMatchObject({ services: [], calls: [] })
    })

    test('a host has the worst status of its streams, with their number', async () => {
      const url = 'http://api.shop.test:8080'
      for (const path of ['/a', '/b', '/c']) await following({ url: url + path })
      await following({ url: `${url}/late` }, 'stalled', 'No answer for 3 min.', NOW - 60_000)
      await following({ url: `${url}/later` }, 'stalled', 'No answer for 1 min.', NOW - 30_000)
      await following({ url: `${url}/off`, desired: 'stopped' }, 'stopped')
      await following({ url: 'http://fine.test/' })
      const { service, services } = await drawn()
      expect(service('host:api.shop.test:8080')).toEqual({
        id: 'weir:host:api.shop.test:8080',
        name: 'api.shop.test:8080',
        kind: 'host',
        group: 'shop.test',
        status: 'stalled',
        reason: '2 of 5 streams are stalled: No answer for 3 min.',
        color: STATUS.stalled.color.dark,
        href: '/streams?host=api.shop.test%3A8080',
        reportedAt: new Date(NOW - 30_000).toISOString(),
      })
      expect(service('host:fine.test')).toMatchObject({ status: 'live', reason: 'Its stream is live.' })
      expect(service('streams')?.reason).toBe(
        '2 streams are waiting for a worker. 6 streams on 2 hosts: 4 live, 2 stalled.',
      )
      expect(services.every(({ color }) => parseColor(color) === color)).toBe(true)
    })

    test('statuses have a fixed order', async () => {
      const ranked = ['dead', 'stalled', 'backing-off', 'quiet', 'live'] as const
      for (const [at, worst] of ranked.entries()) {
        for (const status of ranked.slice(at)) await following({ url: `http://${worst}.test/` }, status)
      }
      const { service } = await drawn()
      expect(ranked.map((worst) => service(`host:${worst}.test`)?.status)).toEqual([...ranked])
      expect(service('host:backing-off.test')?.reason).toBe('1 of 3 streams is backing off: Said so.')
    })

    test('a tag of most streams of a host is its group', async () => {
      await following({ url: 'http://a.example.test/1', tags: ['eu', 'shop'] })
      await following({ url: 'http://a.example.test/2', tags: ['shop'] })
      await following({ url: 'http://a.example.test/3' })
      await following({ url: 'http://b.example.test/1', tags: ['x'] })
      await following({ url: 'http://b.example.test/2', tags: ['y'] })
      const { service } = await drawn()
      expect(service('host:a.example.test')?.group).toBe('shop')
      expect(service('host:b.example.test')?.group).toBe('example.test')
    })

    test('calls to a host cover the last minutes, with errors and durations', async () => {
      const poll = await following({ url: 'http://a.test/1' })
      const other = await following({ url: 'http://a.test/2' })
      const long = NOW - 20 * MINUTE_MS
      await received(poll, [answered(9_999, long), ...Array.from({ length: 8 }, () => answered(20))])
      await received(other, [answered(1_000), failed()])
      const call = (await drawn()).call('host:a.test')
      expect(call).toMatchObject({ from: 'weir:streams', count: 10, errors: 1 })
      // Four minutes and a half.
      expect(call?.recent).toMatchObject({ rate: 2.2, errorShare: 0.1 })
      expect(call?.recent?.p50Ms).toBeCloseTo(20, 0)
      expect(Math.abs((call?.recent?.p95Ms ?? 0) - 1_000)).toBeLessThan(30)
    })

    test('an event stream’s rate is that of its events; an idle edge has none', async () => {
      const sse = await following({ url: 'http://events.test/', kind: 'sse' })
      await following({ url: 'http://idle.test/' })
      const event = { kind: 'event', data: 'x' } as const
      await received(
        sse,
        Array.from({ length: 45 }, () => event),
      )
      const { call } = await drawn()
      expect(call('host:events.test')?.recent).toEqual({ rate: 10, errorShare: 0 })
      expect(call('host:idle.test')).toEqual({
        from: 'weir:streams',
        to: 'weir:host:idle.test',
        count: 0,
        errors: 0,
      })
    })

    test('subscribers of the proxy are counted across processes, until they leave', async () => {
      const { id } = await following({ url: 'http://a.test/', proxyKey: 'k', alwaysOn: false })
      let now = NOW
      const [here, there] = [new UsageMeter(() => now), new UsageMeter(() => now)]
      const leaving = here.enter(id)
      here.enter(id)
      there.enter(id)
      for (const process of [here, there, here]) await process.write(storage.db)
      const { service, call } = await drawn()
      expect(service('proxy')).toMatchObject({ kind: 'proxy', reason: '3 subscribers follow 1 API.' })
      expect(service('subscribers')).toMatchObject({ kind: 'subscribers', name: '3 subscribers connected' })
      expect(call('proxy')).toMatchObject({ from: 'weir:streams' })
      leaving.closed('slow')
      await here.write(storage.db)
      expect((await drawn()).service('subscribers')?.name).toBe('2 subscribers connected')
      now += MINUTE_MS
      for (const process of [here, there]) await process.write(storage.db)
      const later = await ownParts(storage.db, now, { hasArchive: false })
      expect(later.services.map(({ name }) => name)).toContain('2 subscribers connected')
      // A process that is killed says nothing more.
      const gone = await ownParts(storage.db, now + 2 * MINUTE_MS, { hasArchive: false })
      expect(gone.services.map(({ name }) => name)).toContain('No subscribers connected')
    })

    test('a version counts as a delivery to every subscriber that is connected', async () => {
      const stream = await following({ url: 'http://a.test/', proxyKey: 'k' })
      await received(
        stream,
        [
          { kind: 'snapshot', data: '{}' },
          { kind: 'patch', data: '[]' },
        ].map((draft) => ({ ...draft }) as Draft),
      )
      await storage.db.execute(sql`
        INSERT INTO weir.fanouts (stream_id, minute, subscriber_ms, snapshots, slow)
        VALUES (${stream.id}, date_trunc('minute', ${new Date(NOW).toISOString()}::timestamptz), ${3 * 270_000}, 4, 1)`)
      const { call } = await drawn()
      expect(call('proxy')).toMatchObject({ count: 2, errors: 0 })
      // Two versions for three subscribers, and four snapshots.
      expect(call('subscribers')).toMatchObject({ from: 'weir:proxy', count: 10, errors: 1 })
      expect(call('subscribers')?.recent?.errorShare).toBe(0.1)
    })

    async function channel(name: string, change: Partial<typeof channels.$inferInsert> = {}) {
      const at = new Date(NOW - 3_600_000)
      const row = { id: Bun.randomUUIDv7(), name, kind: 'webhook', config: {}, tags: [], isDefault: false }
      await storage.db.insert(channels).values({ ...row, createdAt: at, updatedAt: at, ...change })
      return row.id
    }

    async function sent(
      channelId: string,
      status: 'pending' | 'delivered' | 'failed',
      error: string | null = null,
      at = NOW - 2_000,
    ) {
      const id = Bun.randomUUIDv7('hex', at)
      const endedAt = status === 'pending' ? null : new Date(at + 1)
      const delivery = {
        id,
        channelId,
        type: 'notify',
        message: {},
        status,
        createdAt: new Date(at),
        endedAt,
      }
      await storage.db.insert(deliveries).values(delivery)
      const attempt = {
        id: Bun.randomUUIDv7('hex', at),
        deliveryId: id,
        at: new Date(at),
        durationMs: 40,
        request: {},
      }
      const response = { status: error === null ? 204 : 503 }
      await storage.db.insert(attempts).values({ ...attempt, response, error })
    }

    test('a channel shows the result of its last message', async () => {
      await following({ url: 'http://a.test/' })
      const error = JSON.stringify({ code: 'status', message: 'Answered 503.' })
      const ids = {
        fine: await channel('fine'),
        broken: await channel('broken'),
        trying: await channel('trying'),
        unused: await channel('unused'),
        off: await channel('off', { suspendedAt: new Date(NOW - 5_000), suspendedReason: 'It is gone.' }),
      }
      await sent(ids.fine, 'failed', error, NOW - 30_000)
      await sent(ids.fine, 'delivered')
      await sent(ids.broken, 'failed', error)
      await sent(ids.trying, 'pending', error)
      const { service, call } = await drawn()
      const of = (name: keyof typeof ids) => service(`channel:${ids[name]}`)
      expect(of('fine')).toMatchObject({ kind: 'channel', status: 'live', href: `/channels/${ids.fine}` })
      expect(of('broken')).toMatchObject({
        status: 'dead',
        reason: 'Last delivery failed: Answered 503.',
      })
      expect(of('trying')).toMatchObject({ status: 'backing-off' })
      expect(of('unused')).toMatchObject({ status: 'quiet', reason: 'No deliveries yet.' })
      expect(of('off')).toMatchObject({ status: 'stopped', reason: 'Suspended: It is gone.' })
      expect(call(`channel:${ids.fine}`)).toMatchObject({
        from: 'weir:streams',
        count: 2,
        errors: 1,
        lastStatus: 204,
        lastDurationMs: 40,
        recent: { errorShare: 0.5, p50Ms: 40, p95Ms: 40 },
      })
    })

    test('the archive shows its progress, and is drawn only if configured', async () => {
      await following({ url: 'http://a.test/' })
      const started = new Date(NOW - 60_000)
      const day = { day: '2020-01-01', startedAt: started, endedAt: new Date(NOW - 30_000) }
      await storage.db.insert(archiveDays).values({ ...day, state: 'done' })
      const object = {
        day: day.day,
        key: 'k',
        bytes: 1,
        sha256: '',
        entries: 1,
        firstSeq: 1,
        lastSeq: 1,
        blocks: [],
      }
      const streamId = Bun.randomUUIDv7()
      await storage.db.insert(archives).values({ ...object, streamId, archivedAt: new Date(NOW - 31_000) })
      expect((await drawn()).service('archive')).toBeUndefined()
      const done = await drawn({ hasArchive: true })
      expect(done.service('archive')).toMatchObject({ status: 'live', reason: 'Archived up to 2020-01-01.' })
      expect(done.call('archive')).toMatchObject({ count: 1, errors: 0 })
      const failure = { day: '2020-01-02', state: 'failed' as const, error: 'No such bucket.' }
      await storage.db.insert(archiveDays).values({ ...day, ...failure })
      const broken = await drawn({ hasArchive: true })
      expect(broken.service('archive')).toMatchObject({
        status: 'dead',
        reason: 'Archiving 2020-01-02 failed: No such bucket.',
      })
      expect(broken.call('archive')).toMatchObject({ count: 2, errors: 1 })
    })

    test('of a thousand hosts the worst and the busiest are drawn, the others as one node', async () => {
      const many = Array.from({ length: 1_000 }, (_, at) =>
        newStream({ url: `http://h${String(at).padStart(3, '0')}.test/`, kind: 'poll' }),
      )
      await insertStreams(storage.db, many)
      await storage.db.update(states).set({ status: 'live' })
      const [bad, busy, second] = [many[998], many[999], many[997]] as [Stream, Stream, Stream]
      await storage.db.update(states).set({ status: 'dead' }).where(eq(states.streamId, bad.id))
      await received(busy, [answered(5), answered(5)])
      await received(second, [answered(5)])
      const { services, calls, service, call } = await drawn()
      const hosts = services.filter(({ kind }) => kind === 'host')
      expect(hosts.map(({ name }) => name).slice(0, 3)).toEqual(['h998.test', 'h999.test', 'h997.test'])
      expect(hosts).toHaveLength(MAX_HOSTS)
      expect(calls).toHaveLength(MAX_HOSTS + 1)
      expect(service('rest')).toMatchObject({
        name: '800 more hosts',
        kind: 'rest',
        status: 'live',
        reason: '800 streams; 800 hosts with one that is live.',
      })
      expect(call('rest')).toMatchObject({ count: 0 })
    })

    test('a drawn host stays until another is far busier', async () => {
      const many = Array.from({ length: MAX_HOSTS + 1 }, (_, at) =>
        newStream({ url: `http://h${at}.test/`, kind: 'poll' }),
      )
      await insertStreams(storage.db, many)
      await storage.db.update(states).set({ status: 'live' })
      // Two polls of the first, three of every other.
      await storage.db.execute(sql`
        INSERT INTO weir.rollups (stream_id, minute, first_seq, last_seq, polls)
        SELECT id, date_trunc('minute', ${new Date(NOW).toISOString()}::timestamptz), 1, 3,
          CASE id WHEN ${many[0]?.id}::uuid THEN 2 ELSE 3 END
        FROM weir.streams`)
      const at = async (drawn: string[]) => {
        const graph = await ownParts(storage.db, NOW, { hasArchive: false, drawn: new Set(drawn) })
        return graph.services.some(({ id }) => id === 'weir:host:h0.test')
      }
      expect(await at([])).toBe(false)
      expect(await at(['weir:host:h0.test'])).toBe(true)
    })

    test('channels beyond the limit are one node, with the worst drawn first', async () => {
      await following({ url: 'http://a.test/' })
      for (let at = 0; at < MAX_CHANNELS_DRAWN + 3; at++) await channel(`c${String(at).padStart(3, '0')}`)
      const broken = await channel('z')
      await sent(broken, 'failed')
      const { services, service } = await drawn()
      expect(services.filter(({ kind }) => kind === 'channel')).toHaveLength(MAX_CHANNELS_DRAWN)
      expect(service(`channel:${broken}`)).toBeDefined()
      expect(service('rest-channels')).toMatchObject({ name: 'and 4 more channels', kind: 'rest' })
    })

    test('names are unchanged', async () => {
      const { id: streamId } = await following({ url: 'http://a.test/', tags: [HTML] })
      const url = `http://${HTML.replaceAll('/', '')}/x`
      await storage.db.update(streams).set({ url }).where(eq(streams.id, streamId))
      const id = await channel(HTML)
      const { service, services } = await drawn()
      expect(service(`channel:${id}`)?.name).toBe(HTML)
      expect(services.find(({ kind }) => kind === 'host')).toMatchObject({
        name: HTML.replaceAll('/', ''),
        group: HTML,
      })
    })

    test('a past instant is drawn as it was', async () => {
      const then = NOW - 20 * MINUTE_MS
      const from = new Date(then - MINUTE_MS)
      const started = async (stream: Stream, endedAt: Date | null = null) => {
        const run = { streamId: stream.id, worker: 'w', startedAt: from, endedAt }
        await storage.db.insert(runs).values({ ...run, epoch: 1 })
        return stream
      }
      const recently = NOW - MINUTE_MS
      const well = await started(await following({ url: 'http://well.test/' }, 'dead', 'Now.', recently))
      await received(well, [answered(10, then - 1_000), failed(NOW - 1_000)])
      const failing = await started(
        await following({ url: 'http://failing.test/' }, 'live', 'Now.', recently),
      )
      await received(failing, [failed(then - 1_000)])
      const dead = await started(await following({ url: 'http://dead.test/' }, 'live', 'Now.', recently))
      const incident = {
        id: Bun.randomUUIDv7(),
        key: 'k',
        cause: 'dead',
        title: '',
        detail: '',
        streamId: dead.id,
      }
      await storage.db
        .insert(incidents)
        .values({ ...incident, openedAt: from, resolvedAt: new Date(recently) })
      await started(await following({ url: 'http://same.test/' }, 'stalled', 'Now.', then - MINUTE_MS))
      await started(await following({ url: 'http://stopped.test/' }, 'live'), new Date(then - 5 * MINUTE_MS))
      await following({ url: 'http://not-yet.test/', createdAt: new Date(recently) })
      await channel('later', { createdAt: new Date(recently) })
      const { services, calls } = await ownPartsThen(storage.db, then, NOW, { hasArchive: false })
      const statuses = services
        .filter(({ kind }) => kind === 'host')
        .map(({ name, status }) => [name, status])
      expect(Object.fromEntries(statuses)).toEqual({
        'well.test': 'live',
        'failing.test': 'backing-off',
        'dead.test': 'dead',
        'same.test': 'stalled',
      })
      expect(services.filter(({ kind }) => kind === 'channel')).toEqual([])
      expect(calls.find(({ to }) => to === 'weir:host:well.test')).toMatchObject({ count: 1, errors: 0 })
      expect(JSON.stringify(services)).not.toContain('Now.')
    })
  })
})

test('status colors are those of the console’s dark theme', async () => {
  const css = statusCss()
  for (const status of STATUSES) {
    const { dark } = STATUS[status].color
    expect(new RegExp(`--${status}: light-dark\\(#\\w+, (#\\w+)\\);`).exec(css)?.[1]).toBe(dark)
    expect(parseColor(dark)).toBe(dark)
  }
})

test.each([
  ['api.example.com', 'example.com'],
  ['a.b.example.com:8443', 'example.com'],
  ['api.example.co.uk', 'example.co.uk'],
  ['api.example.de', 'example.de'],
  ['localhost:3000', 'localhost'],
  ['127.0.0.1:3000', '127.0.0.1'],
  ['[::1]:3000', '[::1]'],
])('%s has the registered domain %s', (host, domain) => {
  expect(domainOf(host)).toBe(domain)
})
