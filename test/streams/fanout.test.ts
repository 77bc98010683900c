import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { entries } from '../../drizzle/schema.ts'
import { parseConfig } from '../../src/config.ts'
import { Hub } from '../../src/hub/hub.ts'
import { SILENT_RELAY } from '../../src/relay/relay.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { Fanout } from '../../src/streams/recording/fanout.ts'
import { entriesTopic } from '../../src/topics.ts'
import { openStorage } from '../support/data-dir.ts'
import { until } from '../support/until.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'weir-fanout-'))
let storage: Storage

beforeAll(async () => {
  storage = await openStorage(parseConfig({ DATA_DIR: dataDir }))
})

afterAll(async () => {
  await storage.close()
  rmSync(dataDir, { recursive: true, force: true })
})

/** A fan-out with one subscriber of a stream, who has its entries up to a number. */
function watched(known: number) {
  const hub = new Hub()
  const seen: number[] = []
  const warnings: string[] = []
  const fanout = new Fanout({
    db: storage.db,
    hub,
    relay: SILENT_RELAY,
    pages: { follow: () => false, stored: () => {}, changed: () => {} },
    proxy: { follows: () => false, stored: ({ seq }) => void seen.push(seq) },
    warn: (message) => void warnings.push(message),
  })
  const id = Bun.randomUUIDv7()
  const { signal } = new AbortController()
  hub.subscribe(entriesTopic(id), { signal, after: known })
  fanout.watch(id, known)
  const entry = (seq: number) =>
    ({ streamId: id, seq, at: Date.now(), epoch: 1, kind: 'event', wireBytes: 1, bodyBytes: 1 }) as const
  const store = (...seqs: number[]) =>
    storage.db.insert(entries).values(seqs.map((seq) => ({ ...entry(seq), at: new Date() })))
  const close = () => {
    fanout.close()
    hub.close()
  }
  return { fanout, id, seen, warnings, entry, store, close }
}

test('what another process stored in between comes first, and everything once', async () => {
  const { fanout, seen, warnings, entry, store, close } = watched(10)
  await store(11, 12, 13)
  fanout.stored([entry(13)])
  await until('all have come', () => seen.length === 3)
  fanout.stored([entry(14)])
  expect(seen).toEqual([11, 12, 13, 14])
  expect(warnings).toEqual([])
  close()
})

test('what is not kept any more is not waited for', async () => {
  const { fanout, id, seen, store, close } = watched(10)
  await store(101, 102)
  fanout.storedElsewhere({ type: 'stored', spans: [[id, 101, 102]] })
  await until('what there is has come', () => seen.length === 2)
  expect(seen).toEqual([101, 102])
  close()
})
