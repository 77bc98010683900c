import { afterEach, beforeEach, expect, test } from 'bun:test'
import { Problem } from '../../src/errors.ts'
import { Hub } from '../../src/hub/hub.ts'
import { type LivePart, LiveViews } from '../../src/routes/live/live-views.tsx'
import type { Subject } from '../../src/topics.ts'
import { until } from '../support/until.ts'

let hub: Hub
let views: LiveViews
let rows: Record<string, string>
let reads: number
let isGone: boolean

beforeEach(() => {
  hub = new Hub()
  views = new LiveViews({ hub, now: Date.now, warn: (message) => void console.error(message) })
  rows = { a: 'first', b: 'second' }
  reads = 0
  isGone = false
})

afterEach(() => {
  views.close()
  hub.close()
})

async function read(): Promise<LivePart[]> {
  reads++
  if (isGone) throw new Problem('not_found', 'It was removed.')
  const shown = Object.entries(rows).map(([id, text]) => [id, `<li id="${id}">${text}</li>`] as const)
  return [
    { id: 'list', html: `<ul id="list">${shown.map(([, html]) => html).join('')}</ul>`, rows: shown },
    { id: 'head', html: '<h1 id="head">Both</h1>' },
  ]
}

/** A page that is open, and all that it was sent. */
function open(path = '/things/live', subjects: Subject[] = ['channels']) {
  const leaving = new AbortController()
  const request = new Request(`http://localhost${path}`, { signal: leaving.signal })
  const response = views.subscribe(request, { subjects, read })
  const page = { sent: '', ended: false, leave: () => leaving.abort() }
  const follow = async () => {
    const decoder = new TextDecoder()
    for await (const chunk of response.body as ReadableStream<Uint8Array>) page.sent += decoder.decode(chunk)
    page.ended = true
  }
  void follow()
  return page
}

test('a page first gets everything, then only the changed row', async () => {
  const page = open()
  await until('it has caught up', () => page.sent.includes('second') && page.sent.includes('Both'))
  page.sent = ''
  rows.b = 'changed'
  views.refresh('channels')
  await until('it was sent the change', () => page.sent.includes('changed'))
  expect(page.sent).toContain('hx-target="#b"')
  expect(page.sent).not.toContain('first')
  expect(page.sent).not.toContain('Both')
})

test('if a row is added or removed, only that part is sent, as a whole', async () => {
  const page = open()
  await until('it has caught up', () => page.sent.includes('Both'))
  page.sent = ''
  rows = { c: 'new', ...rows }
  views.refresh('channels')
  await until('it was sent the change', () => page.sent.includes('new'))
  expect(page.sent).toContain('hx-target="#list"')
  expect(page.sent).not.toContain('Both')
})

test('a late subscriber gets earlier changes, even without an event', async () => {
  const page = open()
  await until('it has caught up', () => page.sent.includes('second'))
  rows.a = 'changed'
  const later = open()
  await until('it has caught up', () => later.sent.includes('changed'))
  await until('the other heard of it as well', () => page.sent.includes('changed'))
})

test('many changes and many new subscribers share one refresh', async () => {
  const all = Array.from({ length: 50 }, () => open())
  await until('all have caught up', () => all.every(({ sent }) => sent.includes('second')))
  expect(reads).toBeLessThanOrEqual(2)
  rows.a = 'changed'
  for (let times = 0; times < 1_000; times++) views.refresh('channels')
  await until('all were sent it', () => all.every(({ sent }) => sent.includes('changed')))
  expect(reads).toBeLessThanOrEqual(3)
})

test('nothing is read for pages that aren’t open, or that don’t depend on it', async () => {
  const left = open('/left')
  const unconcerned = open('/unconcerned', ['silences'])
  const concerned = open('/concerned')
  for (const page of [left, unconcerned, concerned])
    await until('it has caught up', () => page.sent.includes('second'))
  left.leave()
  await until('it has left', () => hub.counts.open === 2)
  rows.a = 'changed'
  views.refresh('channels')
  // The others came sooner, and would have been looked at before it.
  await until('it was sent the change', () => concerned.sent.includes('changed'))
  expect(reads).toBe(4)
})

test('the page of a removed item is ended', async () => {
  const page = open()
  await until('it has caught up', () => page.sent.includes('second'))
  isGone = true
  views.refresh('channels')
  await until('it has ended', () => page.ended)
})
