import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { DAY_MS } from '../../src/core/time.ts'

import { versionsIn } from '../../src/streams/documents/versions.ts'
import { readEntry, readLog, readWholeLog, storedEvents } from '../../src/streams/log/logs.ts'
import { BODY_CHARS } from '../../src/streams/recording/bodies.ts'
import { removeStream } from '../../src/streams/registry/remove.ts'
import { isSkipped, type OpenSetup, STORAGE_SETUPS } from '../support/setups.ts'
import { type Kept, keep } from './support.ts'

const LARGE = 'ä'.repeat(BODY_CHARS)
const OTHER = `${'b'.repeat(BODY_CHARS)}\0`
const SMALL = 'c'.repeat(BODY_CHARS - 1)

describe.each(STORAGE_SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let kept: Kept

    beforeAll(async () => {
      services = await setup.open()
      kept = await keep(services)
    })
    afterAll(async () => {
      await kept.close()
      await services.close()
    })

    const bodies = () => kept.rows<{ day: string }>(sql`SELECT day::text AS day FROM weir.bodies ORDER BY 1`)

    test('equal content of all streams is stored once a day, and every reader gets it complete', async () => {
      const { db } = kept.storage
      const [a, b] = [await kept.begin(await kept.register()), await kept.begin(await kept.register())]
      const document = JSON.stringify({ text: LARGE })
      const drafts = [
        { data: LARGE, eventId: '1' },
        { data: OTHER },
        { data: SMALL, eventId: '3' },
        { data: LARGE },
        { kind: 'snapshot' as const, data: document, hash: 'h' },
      ]
      await kept.record(a, ...drafts)
      await kept.record(b, ...drafts)
      await kept.record(a, { data: LARGE, at: kept.now + DAY_MS })
      expect((await bodies()).map(({ day }) => day)).toEqual([
        '2026-03-10',
        '2026-03-10',
        '2026-03-10',
        '2026-03-11',
      ])
      const told = [LARGE, OTHER.replace('\0', '\uFFFD'), SMALL, LARGE, document]
      for (const run of [a, b]) {
        const { items } = await readLog(db, run.stream.id, { before: 6, limit: 10 })
        expect(items.map(({ data }) => data)).toEqual(told)
      }
      const whole: (string | undefined)[] = []
      for await (const page of readWholeLog(db, a.stream.id, {})) whole.push(...page.map(({ data }) => data))
      expect(whole).toEqual([...told, LARGE])
      expect((await readEntry(db, a.stream.id, 1))?.data).toBe(LARGE)
      const read = versionsIn(db)
      expect((await read(a.stream.id, { limit: 5 })).map(({ data }) => data)).toEqual([document])
      expect((await read(a.stream.id, { limit: 5, maxDataBytes: 99 }))[0]?.data).toBeUndefined()
      const md5 = (text: string) => new Bun.CryptoHasher('md5').update(text).digest('hex')
      const known = await storedEvents(db, a.stream.id, ['1', '3'], { after: 0, until: 6 })
      expect([known.get('1')?.md5, known.get('3')?.md5]).toEqual([md5(LARGE), md5(SMALL)])
    })

    test('removing a stream deletes the bodies that no other stream needs', async () => {
      const [a, b] = [await kept.begin(await kept.register()), await kept.begin(await kept.register())]
      const own = `${LARGE}own`
      await kept.record(a, { data: own }, { data: LARGE })
      await kept.record(b, { data: LARGE })
      const before = (await bodies()).length
      await removeStream(kept.storage.db, a.stream.id)
      expect((await bodies()).length).toBe(before - 1)
      expect((await readEntry(kept.storage.db, b.stream.id, 1))?.data).toBe(LARGE)
    })
  })
})
