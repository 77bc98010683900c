import { expect, test } from 'bun:test'
import { Deadline } from '../../src/channels/deadline.ts'
import { post } from '../../src/channels/http.ts'
import { masked, type SendTools } from '../../src/channels/kind.ts'
import { holdTimers } from '../support/timers.ts'

const SECRET = 'a "secret"/of mine'

test.each([
  ['as it is', SECRET],
  ['in a URL', 'a%20%22secret%22%2Fof%20mine'],
  ['in JSON', 'a \\"secret\\"/of mine'],
])('a secret is hidden wherever it is said %s', (_where, said) => {
  const text = `before ${said} after`
  const sending = masked(
    {
      request: { method: 'POST', url: text, headers: { a: text }, body: text },
      response: { status: 500, headers: { a: text }, body: text },
      durationMs: 1,
      outcome: { result: 'retry', error: { code: 'bad_status', message: text } },
    },
    [SECRET],
  )
  expect(JSON.stringify(sending)).not.toContain('secret')
  expect(JSON.stringify(sending).match(/before ••• after/g)).toHaveLength(6)
})

test('headers with credentials are hidden, also those of a receiver', async () => {
  const tools: SendTools = {
    ...{ id: 'a', at: new Date(), signal: new AbortController().signal, resolve: async () => [] },
    fetch: async () =>
      new Response('', { headers: { 'Proxy-Authorization': 'Basic theirs', 'Set-Cookie': 'theirs=1' } }),
  }
  const headers = { Authorization: 'Bearer mine', Cookie: 'mine=1', 'Proxy-Authorization': 'Basic mine' }
  const sending = await post({ url: 'https://hooks.test/', headers, body: '{}' }, tools)
  expect(JSON.stringify(sending)).not.toMatch(/mine|theirs/)
})

test('an attempt leaves neither a timer nor a listener, and gets its time', () => {
  using timers = holdTimers()
  const closing = new AbortController()
  const listeners = new Set<unknown>()
  const { signal } = closing
  signal.addEventListener = ((_name: string, listener: unknown) => void listeners.add(listener)) as never
  signal.removeEventListener = ((_name: string, listener: unknown) =>
    void listeners.delete(listener)) as never
  const deadline = new Deadline(15_000, signal)
  expect([timers.set().map(({ ms }) => ms), listeners.size]).toEqual([[15_000], 1])
  deadline.clear()
  expect([timers.set(), listeners.size]).toEqual([[], 0])
})
