import { expect, test } from 'bun:test'
import { messageOf, type ToldIncident } from '../../src/incidents/messages.ts'

const MINUTE_MS = 60_000
const OPENED = Date.UTC(2026, 10, 30, 9, 26)
const RESOLVED = Date.UTC(2026, 10, 30, 9, 36)
const NOW = RESOLVED + 10_000

const prices: ToldIncident = {
  id: 'i1',
  cause: 'dead',
  title: 'prices is dead',
  detail: 'Failed 12 times in 10 min.',
  affected: 1,
  openedAt: new Date(OPENED),
  resolvedAt: new Date(RESOLVED),
  streamId: 's1',
  host: 'api.test',
  evidence: { since: OPENED - 3 * MINUTE_MS },
  streams: [{ id: 's1', name: 'prices', url: 'http://weir.test/streams/s1' }],
}
const host: ToldIncident = {
  ...prices,
  id: 'i2',
  cause: 'host',
  title: 'api.test: 6 of 8 streams failing',
  streamId: null,
}

test.each<[string, Partial<ToldIncident>, string, string]>([
  ['a stream, from its first failure', {}, 'Recovered: prices', 'Down 13 min (09:23–09:36 UTC).'],
  ['a stream, of unknown start', { evidence: null }, 'Recovered: prices', 'Down 10 min (09:26–09:36 UTC).'],
  ['a removed stream', { streams: [] }, 'Recovered: prices is dead', 'Down 13 min (09:23–09:36 UTC).'],
  ['a host', host, 'Recovered: api.test', 'Down 13 min (09:23–09:36 UTC).'],
  [
    'the network',
    { ...host, cause: 'egress', host: null },
    'Recovered: outbound network',
    'Down 13 min (09:23–09:36 UTC).',
  ],
  [
    'an outage over midnight',
    { resolvedAt: new Date(RESOLVED + 24 * 60 * MINUTE_MS) },
    'Recovered: prices',
    'Down 24 h (2026-11-30 09:23–2026-12-01 09:36 UTC).',
  ],
  [
    'a stream that was up again before the evaluation that resolved it',
    { evidence: { since: OPENED - 3 * MINUTE_MS, until: RESOLVED - 2 * MINUTE_MS } },
    'Recovered: prices',
    'Down 11 min (09:23–09:34 UTC).',
  ],
  [
    'a degraded stream',
    { cause: 'degraded', title: 'prices is degraded', evidence: { since: OPENED - 15 * MINUTE_MS } },
    'Recovered: prices',
    'Degraded 25 min (09:11–09:36 UTC).',
  ],
  [
    'a flapping stream, which was up at times',
    { cause: 'flapping', title: 'prices is flapping' },
    'Recovered: prices',
    'Flapping 13 min (09:23–09:36 UTC).',
  ],
  [
    'a rule',
    { cause: 'size', title: 'prices has an unusual size' },
    'Resolved: prices has an unusual size',
    'Lasted 10 min (09:26–09:36 UTC).',
  ],
])('the recovery of %s includes its duration and time', (_, changed, title, text) => {
  expect(messageOf('resolved', [{ ...prices, ...changed }], NOW, 'http://weir.test')).toMatchObject({
    title,
    text,
  })
})

test('several recoveries share a message with a line each', () => {
  const message = messageOf('resolved', [prices, host], NOW, 'http://weir.test')
  expect(message.title).toBe('2 incidents resolved')
  expect(message.text).toBe(
    'Recovered: api.test. Down 13 min (09:23–09:36 UTC).\nRecovered: prices. Down 13 min (09:23–09:36 UTC).',
  )
})

test('openings and reminders name the worst incident', () => {
  const open = { ...prices, resolvedAt: null }
  const url = 'http://weir.test'
  expect(messageOf('opened', [open], NOW, url)).toMatchObject({ title: 'prices is dead', text: open.detail })
  expect(messageOf('opened', [open, host, { ...open, cause: 'size' }], NOW, url).title).toBe(
    '3 incidents: api.test: 6 of 8 streams failing, and 2 more',
  )
  expect(messageOf('reminded', [open], NOW, url)).toMatchObject({
    title: 'Still open: prices is dead',
    text: 'Failed 12 times in 10 min. Down 13 min.',
  })
  const change = { ...open, cause: 'changed', title: 'prices changed' }
  expect(messageOf('opened', [change, change], NOW, url).title).toBe('2 streams changed')
})
