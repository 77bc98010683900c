import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseConfig } from '../../src/config/config.ts'
import type { Database, Storage } from '../../src/storage/storage.ts'
import { fromRegistration } from '../../src/streams/registry/from-registration.ts'
import { insertStreams } from '../../src/streams/registry/new-stream.ts'
import { Streams } from '../../src/streams/registry/streams.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'weir-watched-'))
const control = { runLater: async () => {} }
const limits = parseConfig({})
const unknown = '01a20200-1921-70a6-bb27-dd1b93130b54'
let storage: Storage
let id: string
let statements = 0

beforeAll(async () => {
  storage = await openStorage(parseConfig({ DATA_DIR: dataDir }))
  const added = fromRegistration({ url: 'http://upstream.test/', kind: 'sse', start: false })
  await storage.db.transaction((tx) => insertStreams(tx, added))
  id = added[0].id
})

afterAll(async () => {
  await storage.close()
  rmSync(dataDir, { recursive: true, force: true })
})

/** Its statements are counted. */
function counted(db: Database): Database {
  return new Proxy(db, {
    get(target, name) {
      if (name === 'select') statements++
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

test('simultaneous callers share one statement', async () => {
  const streams = new Streams({ db: counted(storage.db), control, bus: testBus(), limits })
  statements = 0
  const crowd = Array.from({ length: 100 }, () => streams.watched(id))
  const answers = await Promise.allSettled([...crowd, streams.watched(unknown)])
  expect(statements).toBe(1)
  expect(answers.slice(0, 100)).toEqual(crowd.map(() => ({ status: 'fulfilled', value: { id, last: 0 } })))
  expect(answers[100]).toMatchObject({ status: 'rejected', reason: { code: 'not_found' } })
})

test('an ID is the same in upper case', async () => {
  const streams = new Streams({ db: storage.db, control, bus: testBus(), limits })
  expect(await streams.watched(id.toUpperCase())).toEqual({ id, last: 0 })
})
