import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deliveries, incidents } from '../../drizzle/schema.ts'
import { openAccess } from '../../src/auth/open.ts'
import { Channels } from '../../src/channels/channels.ts'
import { Deliverer } from '../../src/channels/deliverer.ts'
import { forgetDeliveries, KEEP_MS, replay } from '../../src/channels/deliveries.ts'
import { Notifier } from '../../src/channels/notifier.ts'
import { notifyResponsible, tryChannel } from '../../src/channels/notify.ts'
import { evaluateIncidents, forgetIncidents } from '../../src/incidents/evaluation/evaluate.ts'
import { acknowledge } from '../../src/incidents/read.ts'
import { addRule, changeRule, removeRule } from '../../src/incidents/rules.ts'
import { addSilence, changeSilence, removeSilence } from '../../src/incidents/silences.ts'
import { Egress } from '../../src/net/egress.ts'
import { ProxiedStreams } from '../../src/proxy/proxied.ts'
import { openStorage } from '../../src/storage/open.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { Streams } from '../../src/streams/registry/streams.ts'
import { judgeAll } from '../../src/streams/status/health.ts'
import { SECRET, startReceiver } from '../channels/receiver.ts'
import { heardOn, testBus } from '../support/bus.ts'

const HOUR_MS = 3_600_000
const YEARS_MS = 2 * 366 * 24 * HOUR_MS
const bus = testBus()
const heard = heardOn(
  bus,
  ...(['list.changed', 'stream.updated', 'run.interrupt', 'channel.updated', 'incident.updated'] as const),
  ...(['silence.updated', 'rule.updated', 'key.updated', 'session.ended'] as const),
)
const receiver = startReceiver()
const egress = new Egress({ allowHosts: [], isOpen: true })
const control = { runLater: async () => {}, deliverLater: () => {}, deliverAgain: () => {} }
const now = Date.now

let directory: string
let storage: Storage

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weir-mutations-'))
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
})

afterAll(async () => {
  await receiver.upstream.stop()
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

beforeEach(() => {
  heard.length = 0
})

/** What an act publishes: by then it must be stored. */
async function published(act: () => Promise<unknown>): Promise<string[]> {
  heard.length = 0
  await act()
  return [...new Set(heard.map(({ type }) => type))].toSorted()
}

/** All parts that change something which pages show, on one bus. */
function parts() {
  const { db } = storage
  const notifier = new Notifier({ db, bus, control, now })
  const limits = { requestTimeoutMs: 1_000, maxBodyBytes: 1_000, silenceMs: 60_000 }
  return {
    db,
    bus,
    limits,
    notifier,
    channels: new Channels({ db, bus, egress, now }),
    deliverer: new Deliverer({ db, bus, egress, now, random: () => 0 }),
    streams: new Streams({ db, control, bus, limits }),
    proxied: new ProxiedStreams({ db, control, bus, mayReach: async () => {} }),
  }
}

let paths = 0
const url = () => `http://localhost:1/${++paths}`
const hook = (name: string) => ({
  ...{ name, kind: 'webhook', isDefault: true },
  config: { url: receiver.take(`/${name}`), secret: SECRET },
})

test('streams: added, changed, tagged, stopped, started, removed', async () => {
  const { streams } = parts()
  const { id } = await streams.register({ url: url(), kind: 'poll', start: false })
  expect(await published(() => streams.register({ url: url(), kind: 'poll' }))).toEqual(['list.changed'])
  expect(await published(() => streams.addTwin(id))).toEqual(['list.changed'])
  const updated = ['stream.updated']
  expect(await published(() => streams.change(id, { name: 'Other' }))).toEqual(['run.interrupt', ...updated])
  expect(await published(() => streams.retag([id], 'shop', true))).toEqual(updated)
  expect(await published(() => streams.start(id))).toEqual(updated)
  expect(await published(() => streams.stop(id))).toEqual(['run.interrupt', ...updated])
  expect(await published(() => streams.stop(id))).toEqual([])
  expect(await published(() => streams.remove(id))).toEqual(['list.changed', 'run.interrupt'])
  const other = await streams.register({ url: url(), kind: 'poll', start: false })
  expect(await published(() => streams.removeMany([other.id]))).toEqual(['list.changed', 'run.interrupt'])
})

test('proxied streams: added, idle, woken; and a status that time alone changes', async () => {
  const { proxied, db, limits } = parts()
  const target = { url: url(), intervalMs: 1_000, headers: {}, ignorePaths: [], arrayKeys: [] }
  const asked = { ...target, payloadPointer: undefined }
  let id = ''
  const open = async () => {
    id = (await proxied.open(asked, undefined)).id
  }
  expect(await published(open)).toEqual(['list.changed'])
  const idle = () => proxied.rest(new Date(now() + HOUR_MS))
  expect(await published(idle)).toEqual(['run.interrupt', 'stream.updated'])
  expect(await published(() => proxied.wake(id))).toEqual(['stream.updated'])
  const later = { db, bus, limits, heldRun: () => undefined, now: () => now() + HOUR_MS }
  expect(await published(() => judgeAll(later))).toEqual(['stream.updated'])
})

test('channels: added, changed, suspended, resumed, tried, removed', async () => {
  const { channels, deliverer, db } = parts()
  const updated = ['channel.updated']
  const { id } = await channels.add(hook('before'))
  expect(await published(() => channels.add(hook('added')))).toEqual(updated)
  expect(await published(() => channels.change(id, { tags: ['shop'] }))).toEqual(updated)
  expect(await published(() => channels.suspend(id, 'It moved.'))).toEqual(updated)
  expect(await published(() => channels.resume(id))).toEqual(updated)
  const channel = await channels.get(id)
  const tried = () => tryChannel({ db, bus, deliverer, now }, channel, 'Test', 'http://weir.test')
  expect(await published(tried)).toEqual(updated)
  expect(await published(() => channels.remove(id))).toEqual(updated)
})

test('deliveries: stored, attempted, replayed, removed when they are old', async () => {
  const { channels, deliverer, notifier, streams, db } = parts()
  const updated = ['channel.updated']
  const { id: streamId, name } = await streams.register({ url: url(), kind: 'poll', start: false })
  await channels.add(hook('receives'))
  const about = { id: streamId, name, url: 'http://weir.test' }
  expect(await published(() => notifyResponsible({ db, notifier, now }, about, 'Look'))).toEqual(updated)
  const [delivery] = await db.select().from(deliveries).where(undefined).limit(1)
  const deliveryId = delivery?.id as string
  expect(await published(() => deliverer.attempt(deliveryId))).toEqual(updated)
  const again = () => replay({ db, bus, control, now }, deliveryId)
  // One that has ended, whichever it is.
  await deliverer.attempt(deliveryId)
  expect(await published(again)).toEqual(updated)
  await deliverer.attempt(deliveryId)
  const later = now() + 2 * KEEP_MS
  expect(await published(() => forgetDeliveries({ db, bus }, later))).toEqual(updated)
  expect(await published(() => forgetDeliveries({ db, bus }, later))).toEqual([])
})

test('incidents: evaluated, acknowledged, ended with their rule, removed when they are old', async () => {
  const { db, notifier } = parts()
  const at = new Date()
  const incident = {
    id: Bun.randomUUIDv7(),
    key: 'host:a',
    cause: 'host',
    title: 'a',
    detail: 'a',
    host: 'a',
  }
  await db.insert(incidents).values({ ...incident, openedAt: at })
  const settings = { groupWaitMs: HOUR_MS, remindMs: HOUR_MS, egressCheckHosts: [] }
  const deps = { db, bus, now, notifier, url: () => 'http://weir.test', settings }
  const acknowledging = () => acknowledge(deps, incident.id, { by: 'Ada' }, now())
  expect(await published(acknowledging)).toEqual(['incident.updated'])
  expect(await published(() => evaluateIncidents(deps))).toEqual(['incident.updated'])
  await db.update(incidents).set({ resolvedAt: at })
  const later = { ...deps, now: () => now() + YEARS_MS }
  expect(await published(() => forgetIncidents(later))).toEqual(['incident.updated'])
  expect(await published(() => forgetIncidents(later))).toEqual([])
})

test('rules: added, changed, removed; both of these end incidents', async () => {
  const { db } = parts()
  const input = { name: 'Errors', kind: 'errorRate', params: { above: 0.5 } } as const
  expect(await published(() => addRule({ db, bus }, input, now()))).toEqual(['rule.updated'])
  const { id } = await addRule({ db, bus }, input, now())
  const ended = ['incident.updated', 'rule.updated']
  expect(await published(() => changeRule({ db, bus }, id, { isEnabled: false }, now()))).toEqual(ended)
  expect(await published(() => removeRule({ db, bus }, id, now()))).toEqual(ended)
})

test('silences: added, changed, removed', async () => {
  const { db } = parts()
  const updated = ['silence.updated']
  const input = { reason: 'Move', endsAt: new Date(now() + HOUR_MS).toISOString() }
  expect(await published(() => addSilence({ db, bus }, input, now()))).toEqual(updated)
  const { id } = await addSilence({ db, bus }, input, now())
  expect(await published(() => changeSilence({ db, bus }, id, { reason: 'b' }, now()))).toEqual(updated)
  expect(await published(() => removeSilence({ db, bus }, id))).toEqual(updated)
})

test('keys: added, revoked; and a browser that signs out', async () => {
  const { db } = parts()
  const access = openAccess({ db, bus, token: 'a-secret-of-sixteen', now, warn: console.error })
  expect(await published(() => access.keys.add({ name: 'a', scope: 'read' }, 'Ada'))).toEqual(['key.updated'])
  const { key } = await access.keys.add({ name: 'b', scope: 'read' }, 'Ada')
  expect(await published(() => access.keys.revoke(key.id))).toEqual(['key.updated'])
  const { session } = await access.door.logIn('a-secret-of-sixteen', '192.0.2.1')
  const leaving = new Request('http://localhost', { headers: { Cookie: `weir-session=${session}` } })
  expect(await published(() => access.door.logOut(leaving))).toEqual(['session.ended'])
  await access.close()
})

test('what is refused publishes nothing', async () => {
  const { db, channels, streams } = parts()
  const none = Bun.randomUUIDv7()
  const refused = [
    () => channels.remove(none),
    () => channels.resume(none),
    () => streams.change(none, { name: 'a' }),
    () => removeSilence({ db, bus }, none),
    () => removeRule({ db, bus }, none, now()),
    () => acknowledge({ db, bus }, none, { by: 'Ada' }, now()),
  ]
  for (const act of refused) {
    const failed = () =>
      act().then(
        () => expect.unreachable(),
        () => {},
      )
    expect(await published(failed)).toEqual([])
  }
})

/** Files that write what pages show, but in the transaction of another, which publishes. */
const PUBLISHED_BY: Readonly<Record<string, string>> = {
  'src/incidents/evaluation/apply.ts': 'src/incidents/evaluation/evaluate.ts',
  'src/incidents/evaluation/attach.ts': 'src/incidents/evaluation/evaluate.ts',
  'src/incidents/evaluation/certificates.ts': 'src/incidents/evaluation/evaluate.ts',
  'src/incidents/evaluation/due.ts': 'src/incidents/evaluation/evaluate.ts',
  'src/incidents/notify.ts': 'src/incidents/evaluation/evaluate.ts',
}
const TABLES = 'channels|deliveries|attempts|incidents|incidentEvents|incident_events|silences|rules|keys'
const WRITES = new RegExp(
  `\\.(insert|update|delete)\\((${TABLES})\\)|(INSERT INTO|UPDATE|DELETE FROM) weir\\.(${TABLES})\\b`,
)

test('every file that writes what pages show publishes, or is named with the one that does', async () => {
  const root = join(import.meta.dir, '..', '..')
  const silent: string[] = []
  let writers = 0
  for await (const file of new Bun.Glob('{src,jobs}/**/*.{ts,tsx}').scan(root)) {
    if (!WRITES.test(await Bun.file(join(root, file)).text())) continue
    writers++
    const publisher = await Bun.file(join(root, PUBLISHED_BY[file] ?? file)).text()
    if (!publisher.includes("bus.publish({ type: '")) silent.push(file)
  }
  expect(silent).toEqual([])
  expect(writers).toBeGreaterThan(10)
})
