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

test('a page is first sent all as it is, then just the row that changed', async () => {
  const page = open()
  await until('it has caught up', () => page.sent.includes('second') && page.sent.includes('Both'))
  page.sent = ''
  rows.b = 'changed'
  views.changed('channels')
  await until('it was sent the change', () => page.sent.includes('changed'))
  expect(page.sent).toContain('hx-target="#b"')
  expect(page.sent).not.toContain('first')
  expect(page.sent).not.toContain('Both')
})

test('where a row comes or goes, the part is sent whole, and no other part', async () => {
  const page = open()
  await until('it has caught up', () => page.sent.includes('Both'))
  page.sent = ''
  rows = { c: 'new', ...rows }
  views.changed('channels')
  await until('it was sent the change', () => page.sent.includes('new'))
  expect(page.sent).toContain('hx-target="#list"')
  expect(page.sent).not.toContain('Both')
})

test('who comes later is sent what changed before it came, though nobody told of it', async () => {
  const page = open()
  await until('it has caught up', () => page.sent.includes('second'))
  rows.a = 'changed'
  const later = open()
  await until('it has caught up', () => later.sent.includes('changed'))
  await until('the other heard of it as well', () => page.sent.includes('changed'))
})

test('many changes, and many who come at once, are looked at together', async () => {
  const all = Array.from({ length: 50 }, () => open())
  await until('all have caught up', () => all.every(({ sent }) => sent.includes('second')))
  expect(reads).toBeLessThanOrEqual(2)
  rows.a = 'changed'
  for (let times = 0; times < 1_000; times++) views.changed('channels')
  await until('all were sent it', () => all.every(({ sent }) => sent.includes('changed')))
  expect(reads).toBeLessThanOrEqual(3)
})

test('nothing is read of what nobody looks at, nor for what it does not depend on', async () => {
  const left = open('/left')
  const unconcerned = open('/unconcerned', ['silences'])
  const concerned = open('/concerned')
  for (const page of [left, unconcerned, concerned])
    await until('it has caught up', () => page.sent.includes('second'))
  left.leave()
  await until('it has left', () => hub.counts.open === 2)
  rows.a = 'changed'
  views.changed('channels')
  // The others came sooner, and would have been looked at before it.
  await until('it was sent the change', () => concerned.sent.includes('changed'))
  expect(reads).toBe(4)
})

test('the page of what was removed is ended', async () => {
  const page = open()
  await until('it has caught up', () => page.sent.includes('second'))
  isGone = true
  views.changed('channels')
  await until('it has ended', () => page.ended)
})
