import { afterAll, beforeAll, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { archiveDays, channels, deliveries, incidents, workers } from '../../drizzle/schema.ts'
import { expose } from '../../src/observe/metrics.ts'
import { readDatabase } from '../../src/observe/readings.ts'
import { openStorage } from '../../src/storage/open.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { newDataDir } from '../support/data-dir.ts'
import { readMetrics } from './exposition.ts'

const NOW = Date.UTC(2026, 2, 1)

let directory: string
let storage: Storage

beforeAll(async () => {
  directory = await newDataDir('weir-readings-')
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
})
afterAll(async () => {
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

const at = (secondsAgo: number) => new Date(NOW - secondsAgo * 1_000)

async function reading(name: string, label?: string): Promise<number | undefined> {
  const metrics = readMetrics(expose(await readDatabase(storage.db, NOW)))
  const samples = metrics.get(name)?.samples ?? []
  return samples.find(({ labels }) => label === undefined || Object.values(labels).includes(label))?.value
}

test('open incidents are counted, without those that are over or that another one explains', async () => {
  const incident = (key: string, more: object) => ({
    ...{
      id: Bun.randomUUIDv7(),
      key,
      cause: 'dead',
      title: '',
      detail: '',
      affected: 1,
      openedAt: at(60),
      evidence: {},
    },
    ...more,
  })
  const host = incident('host', { cause: 'host' })
  await storage.db
    .insert(incidents)
    .values([
      ...[host, incident('open', {}), incident('over', { resolvedAt: at(1) })],
      incident('explained', { parentId: host.id }),
    ] as never)
  expect([
    await reading('weir_incidents_open', 'dead'),
    await reading('weir_incidents_open', 'host'),
  ]).toEqual([1, 1])
})

test('messages that wait are counted, and since when, in seconds', async () => {
  const channel = {
    id: Bun.randomUUIDv7(),
    name: 'A',
    kind: 'webhook',
    config: {},
    tags: [],
    isDefault: true,
  }
  await storage.db.insert(channels).values({ ...channel, createdAt: at(0), updatedAt: at(0) })
  const delivery = (status: 'pending' | 'delivered', createdAt: Date) => ({
    ...{ id: Bun.randomUUIDv7(), channelId: channel.id, type: 'notify', message: {}, status, createdAt },
  })
  await storage.db.insert(deliveries).values([delivery('pending', at(90)), delivery('delivered', at(900))])
  expect(await reading('weir_deliveries_pending')).toBe(1)
  expect(await reading('weir_deliveries_oldest_timestamp_seconds')).toBe(NOW / 1_000 - 90)
})

test('workers that are alive are counted; times are in seconds', async () => {
  const worker = (name: string, seenAt: Date) => ({ name, startedAt: seenAt, seenAt, streams: 1 })
  await storage.db.insert(workers).values([worker('gone', at(7.1)), worker('alive', at(6.9))])
  expect(await reading('weir_workers')).toBe(1)
  await storage.db
    .insert(archiveDays)
    .values({ day: '2026-02-27', state: 'done', startedAt: at(80), endedAt: at(70) })
  expect(await reading('weir_archive_last_success_timestamp_seconds')).toBe(NOW / 1_000 - 70)
})
