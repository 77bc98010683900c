import { expect, test } from 'bun:test'
import { Hub } from '../../src/hub/hub.ts'

/** A signal that counts who listens. */
function counted() {
  const leaving = new AbortController()
  const { signal } = leaving
  let listeners = 0
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...given: Parameters<typeof add>) => {
    listeners++
    add(...given)
  }
  signal.removeEventListener = (...given: Parameters<typeof remove>) => {
    listeners--
    remove(...given)
  }
  return { signal, leave: () => leaving.abort(), listeners: () => listeners }
}

test('a subscription that ended listens to its request no more', () => {
  const hub = new Hub()
  const { signal, listeners } = counted()
  hub.subscribe('a', { signal })
  expect(listeners()).toBe(1)
  hub.end('a')
  expect(listeners()).toBe(0)
  hub.close()
})

test('a credential that ends closes what it let in, and nothing else', async () => {
  const hub = new Hub()
  const { signal } = new AbortController()
  const revoked = hub.subscribe('a', { signal, credential: 'key:1' })
  hub.subscribe('a', { signal, credential: 'key:2' })
  hub.subscribe('a', { signal })
  expect(hub.credentials).toEqual(['key:1', 'key:2'])
  hub.endCredential('key:1')
  expect(hub.counts).toMatchObject({ open: 2, revoked: 1 })
  expect(hub.credentials).toEqual(['key:2'])
  // What it hadn't read it doesn't get any more.
  expect(revoked.text()).rejects.toBeUndefined()
  hub.close()
})

test('a subscription gives its slot back once, however it ends', () => {
  const taken: string[] = []
  const slots = { take: () => () => void taken.push('back'), check: () => {}, clients: 0 } as never
  const hub = new Hub(Math.random, slots)
  const { signal, leave } = counted()
  hub.subscribe('a', { signal, client: { key: 'c', isLocal: false } })
  leave()
  hub.end('a')
  hub.close()
  expect(taken).toEqual(['back'])
})

test('readers are told to come back after one to two seconds', async () => {
  for (const [random, ms] of [
    [0, 1_000],
    [0.5, 1_500],
  ]) {
    const hub = new Hub(() => random as number)
    const { body } = hub.subscribe('a', { signal: new AbortController().signal })
    const { value } = await (body as ReadableStream<Uint8Array>).getReader().read()
    expect(new TextDecoder().decode(value)).toBe(`retry: ${ms}\n\n`)
    hub.close()
  }
})
