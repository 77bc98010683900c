import { describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { restoreFile } from '../../src/backup/restore-file.ts'
import { takeBackup } from '../../src/backup/take.ts'
import { openRelay } from '../../src/relay/open.ts'
import { openStorage } from '../../src/storage/open.ts'
import { isSkipped, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'

for (const setup of SETUPS.filter(({ name }) => name !== 'embedded')) {
  describe.skipIf(isSkipped(setup))(setup.name, () => {
    test('processes that serve pages hear of a restore, whatever they show', async () => {
      const services = await setup.open()
      const directory = mkdtempSync(join(tmpdir(), 'weir-told-'))
      const { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl } = services.environment
      const where = { databaseUrl, redisUrl, dataDir: '' }
      const storage = await openStorage(where)
      const { db } = storage
      const file = join(directory, 'weir.ndjson.gz')
      const parts = takeBackup({ db, version: '0.0.0', now: Date.now, spoolDir: directory })
      await Bun.write(file, Buffer.concat(await Array.fromAsync(parts)))
      const relay = await openRelay(where, storage, 'web')
      const heard = new Set<string>()
      relay.listen({ received: ({ type }) => void heard.add(type), restored: () => {} })
      await restoreFile(file, where, { force: true, now: Date.now })
      const pages = ['list.changed', 'channel.updated', 'incident.updated', 'silence.updated', 'rule.updated']
      const all = [...pages, 'key.updated', 'session.ended']
      await until('all have come', () => all.every((type) => heard.has(type)))
      expect(heard.has('stream.updated')).toBe(false)
      await relay.close()
      await storage.close()
      await services.close()
      rmSync(directory, { recursive: true, force: true })
    })
  })
}
