import { expect, test } from 'bun:test'
import { Hub } from '../../src/hub/hub.ts'
import { LiveViews } from '../../src/routes/live/live-views.tsx'
import { holdTimers } from '../support/timers.ts'
import { until } from '../support/until.ts'

test('an open page is read again after 50 ms, but once a second at most, and rarely if reading takes long', async () => {
  let now = 1_000_000
  let tookMs = 0
  const warn = (message: string) => {
    throw new Error(message)
  }
  const hub = new Hub()
  const views = new LiveViews({ hub, now: () => now, warn })
  let reads = 0
  const read = async () => {
    reads++
    now += tookMs
    return [{ id: 'a', html: String(reads) }]
  }
  using timers = holdTimers()
  const ending = new AbortController()
  const request = new Request('http://weir.test/live', { signal: ending.signal })
  const reader = (
    views.subscribe(request, { subjects: ['streams'], read }).body as ReadableStream
  ).getReader()
  void reader.read()
  await until('it is read', () => reads === 1)
  await Bun.sleep(0)
  const every = new Set(timers.set())
  const refresh = () => {
    views.refresh('streams')
    views.refresh('streams')
    const set = timers.set().filter((timer) => !every.has(timer))
    expect(set).toHaveLength(1)
    return set[0]
  }
  now += 2_000
  const first = refresh()
  expect(first?.ms).toBe(50)
  tookMs = 400
  first?.fire()
  await until('it is read again', () => reads === 2)
  await Bun.sleep(0)
  expect(refresh()?.ms).toBe(3_600)
  views.close()
  ending.abort()
  hub.close()
})

test('whoever opens a page gets what is there now, not what others were sent last', async () => {
  const hub = new Hub()
  const views = new LiveViews({ hub, now: Date.now, warn: () => {} })
  let value = 'old'
  const view = { subjects: ['streams'] as const, read: async () => [{ id: 'a', html: value }] }
  const ending = new AbortController()
  const first = async () => {
    const request = new Request('http://weir.test/live', { signal: ending.signal })
    let text = ''
    for await (const chunk of views.subscribe(request, view).body as unknown as AsyncIterable<Uint8Array>) {
      text += new TextDecoder().decode(chunk)
      if (text.includes('hx-partial')) return text
    }
    return text
  }
  const reader = (
    views.subscribe(new Request('http://weir.test/live', { signal: ending.signal }), view)
      .body as ReadableStream
  ).getReader()
  await reader.read()
  expect(await first()).toContain('old')
  value = 'new'
  expect(await first()).toContain('new')
  views.close()
  ending.abort()
  hub.close()
})
