import { afterEach, beforeEach, expect, jest, test } from 'bun:test'
import type { RequestOptions } from '../../../src/core/sets/request-options.ts'
import { Egress } from '../../../src/net/egress.ts'
import { KeptConnections } from '../../../src/net/kept-connections.ts'
import { followPoll } from '../../../src/streams/ingest/follow-poll.ts'
import type { Stream } from '../../../src/streams/ingest/run.ts'
import { elapse, settle } from '../../support/clock.ts'
import { followDeps, logOf, newRun } from '../../support/run.ts'

let stop: AbortController

beforeEach(() => {
  jest.useFakeTimers()
  stop = new AbortController()
})

afterEach(async () => {
  stop.abort()
  await settle()
  jest.useRealTimers()
})

/** Whether each of the first polls might use a kept connection. */
async function polled(
  stream: Partial<Stream> & { intervalMs: number },
  { polls = 3, answer = (_isKept?: boolean): Response => Response.json({}) } = {},
): Promise<unknown[]> {
  const kept: unknown[] = []
  const deps = followDeps(
    async (_url, { keepalive }) => {
      kept.push(keepalive)
      return answer(keepalive)
    },
    { mayBeKept: () => true },
  )
  const run = newRun({ kind: 'poll', ...stream })
  followPoll(run, logOf(run), stop.signal, deps).catch(() => {})
  await settle()
  for (let poll = 1; poll < polls; poll++) await elapse(stream.intervalMs)
  return kept
}

const repeatable: RequestOptions = { repeatable: true }

test('the first poll of a run opens a fresh connection: nobody knows yet how fast the upstream is', async () => {
  expect(await polled({ intervalMs: 1_000 })).toEqual([false, true, true])
})

test.each<[string, Partial<Stream> & { intervalMs: number }]>([
  ['polls a minute apart', { intervalMs: 60_000 }],
  ['a POST', { intervalMs: 1_000, method: 'POST', body: '{}' }],
  ['a PUT', { intervalMs: 1_000, method: 'PUT', body: '{}' }],
])('%s open fresh connections', async (_what, stream) => {
  expect(await polled(stream)).toEqual([false, false, false])
})

test('a POST that may be repeated uses a kept connection', async () => {
  expect(await polled({ intervalMs: 1_000, method: 'POST', body: '{}', auth: repeatable })).toEqual([
    false,
    true,
    true,
  ])
})

test('once an answer on a kept connection has broken off, every poll opens its own', async () => {
  const broken = () => new ReadableStream({ pull: (controller) => controller.error(new Error('broken')) })
  const answer = (isKept?: boolean) => (isKept ? new Response(broken()) : Response.json({}))
  const kept = await polled({ intervalMs: 10_000 }, { polls: 5, answer })
  expect(kept.slice(0, 5)).toEqual([false, true, false, false, false])
})

test('an egress knows to which origins a connection may be kept', async () => {
  let headers = {}
  const fetch = async () => new Response('', { headers })
  const open = new Egress({ allowHosts: [], isOpen: true, fetch })
  await open.fetch('http://a.test/1', { keepalive: false })
  expect(open.mayBeKept('http://a.test/2')).toBe(false)
  await open.fetch('http://a.test/1', {})
  expect([open.mayBeKept('http://a.test/2'), open.mayBeKept('http://b.test/')]).toEqual([true, false])
  headers = { connection: 'close' }
  await open.fetch('http://b.test/', {})
  expect(open.mayBeKept('http://b.test/')).toBe(false)
  const checking = new Egress({ allowHosts: [], isOpen: false, fetch, lookup: async () => ['93.184.216.34'] })
  await checking.fetch('http://a.test/', {})
  expect(checking.mayBeKept('http://a.test/')).toBe(false)
})

test('a connection that was idle for longer than the runtime keeps it is gone', () => {
  let now = 0
  const kept = new KeptConnections(() => now)
  kept.used('http://a.test/', new Response())
  now = 299_999
  expect(kept.mayBeKept('http://a.test/')).toBe(true)
  now = 300_000
  expect(kept.mayBeKept('http://a.test/')).toBe(false)
})
