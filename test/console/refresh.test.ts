import { afterEach, beforeEach, expect, test } from 'bun:test'
import type { Bus } from '../../src/bus/bus.ts'
import type { WeirEvent } from '../../src/bus/events.ts'
import { Hub } from '../../src/hub/hub.ts'
import { LivePages } from '../../src/routes/live/live-pages.tsx'
import { refreshPages } from '../../src/routes/live/refresh.ts'
import type { Database } from '../../src/storage/storage.ts'
import type { Subject } from '../../src/topics.ts'
import { testBus } from '../support/bus.ts'
import { until } from '../support/until.ts'

const SUBJECTS = ['streams', 'channels', 'incidents', 'silences'] as const satisfies Subject[]
const LIMITS = { requestTimeoutMs: 1_000, silenceMs: 1_000 }

let bus: Bus
let hub: Hub
let pages: LivePages
let reads: Map<Subject, number>

beforeEach(async () => {
  bus = testBus()
  hub = new Hub()
  // No page of a stream or of the list is open: nothing is read for those.
  const db = new Proxy({}, { get: () => expect.unreachable() }) as Database
  const warn = (message: string) => expect.unreachable(message)
  pages = new LivePages({ db, hub, limits: LIMITS, now: Date.now, heldRun: () => undefined, warn })
  reads = new Map(SUBJECTS.map((subject) => [subject, 0]))
})

afterEach(() => {
  pages.close()
  hub.close()
})

/** A page for each subject, all of which have caught up. */
async function openAll(): Promise<void> {
  for (const subject of SUBJECTS) {
    const read = async () => {
      reads.set(subject, (reads.get(subject) ?? 0) + 1)
      return [{ id: subject, html: `<p id="${subject}">${reads.get(subject)}</p>` }]
    }
    const response = pages.views.subscribe(new Request(`http://localhost/${subject}/live`), {
      subjects: [subject],
      read,
    })
    void response.text()
  }
  await until('all have caught up', () => [...reads.values()].every((count) => count === 1))
}

const streamIds = ['a']
test.each<[WeirEvent, 'here' | 'elsewhere', readonly Subject[]]>([
  [{ type: 'channel.updated' }, 'here', ['channels']],
  [{ type: 'channel.updated' }, 'elsewhere', ['channels']],
  [{ type: 'incident.updated' }, 'elsewhere', ['incidents']],
  [{ type: 'silence.updated' }, 'here', ['silences']],
  [{ type: 'stream.updated', streamIds }, 'elsewhere', ['streams']],
  [{ type: 'entries.stored', spans: [['a', 1, 2]] }, 'elsewhere', ['streams']],
  [{ type: 'entries.stored', entries: [] }, 'here', ['streams']],
  // A stream takes its incidents and silences with it.
  [{ type: 'list.changed' }, 'here', ['streams', 'incidents', 'silences']],
  [{ type: 'job.enqueued' }, 'here', []],
  [{ type: 'relay.restored' }, 'here', SUBJECTS],
])('%p from %s refreshes the pages of %p, and no others', async (event, origin, subjects) => {
  const refreshing = refreshPages(bus, pages)
  await openAll()
  bus.publish(event, origin)
  const refreshed = () => SUBJECTS.filter((subject) => (reads.get(subject) ?? 0) > 1)
  await until('they were refreshed', () => refreshed().length >= subjects.length)
  expect(refreshed()).toEqual([...subjects])
  refreshing.end()
})
