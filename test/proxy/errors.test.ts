import { expect, test } from 'bun:test'
import { Problem, type ProblemCode } from '../../src/errors.ts'
import { proxyErrorOf, refusal } from '../../src/proxy/errors.ts'

test.each([
  ['unauthorized', 40_101, 3_600_000],
  ['not_allowed', 40_302, 3_600_000],
  ['conflict', 40_901, 3_600_000],
  ['too_many', 50_301, 60_000],
  ['unavailable', 50_302, 60_000],
  ['internal', 50_000, 60_000],
])(
  'a client that is refused with %s gets status %i, and comes back after %i ms',
  async (code, status, retryMs) => {
    const response = refusal(new Problem(code as ProblemCode, 'why'), Date.UTC(2026, 0, 1))
    const text = await response.text()
    expect(text).toStartWith(`retry: ${retryMs}\n\nevent: error\nid: 0\n`)
    expect(JSON.parse(/data: (.*)\n/.exec(text)?.[1] ?? '')).toMatchObject({
      ...{ status, cause: code, message: 'why', timestamp: '2026-01-01T00:00:00.000Z' },
      family: status < 50_000 ? 'subscription' : 'server',
    })
  },
)

test('a source’s status is part of its error', () => {
  const data = JSON.stringify({ code: 'bad_status', message: 'The upstream returned 503.' })
  const response = { status: 503, headers: {}, firstByteMs: 1 }
  const exchange = { request: { method: 'GET', url: 'http://a.test/', headers: {} }, response }
  expect(proxyErrorOf({ data, at: 0, exchange })).toMatchObject({ family: 'source', status: 70_503 })
  const timeout = JSON.stringify({ code: 'timeout', message: 'No complete response.' })
  expect(proxyErrorOf({ data: timeout, at: 0 })).toMatchObject({ status: 70_408 })
})
