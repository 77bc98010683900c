import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { hashDocument, type Json } from '../../src/core/documents/document.ts'
import { stringifyJson } from '../../src/core/documents/json.ts'
import { rebuild } from '../../src/streams/ingest/follow-document.ts'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

/** Long enough for a worker, and for a body of its own statement. */
const TEXT = 'x'.repeat(300_000)
const document = (version: number): Json => ({ version, rows: [{ id: 1, at: version }], text: TEXT })
/** Too hard to compare, and too large as a patch. */
const numbers = (version: number) =>
  Array.from({ length: 80_000 }, (_, at) => (at * 7_919 + version) % 100_003)

describe.each(SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let upstream: Upstream
    let weir: TestWeir

    beforeAll(async () => {
      services = await setup.open()
      upstream = startUpstream()
      weir = await startTestWeir(services.environment)
    })
    afterAll(async () => {
      await weir.close()
      await upstream.stop()
      await services.close()
    })

    const poll = (url: string) => weir.register({ url, kind: 'poll', intervalMs: 500 })

    test('large documents are followed as small ones are, and on after a stop', async () => {
      let version = 1
      const url = upstream.on('/large', () => Response.json(document(version)))
      const { id } = await poll(url)
      await weir.entry(id, 'the document is logged', ({ kind }) => kind === 'snapshot')
      version = 2
      const first = await weir.entry(id, 'a patch is logged', ({ kind }) => kind === 'patch')
      expect(first.data).toEqual([
        { op: 'replace', path: '/version', value: 2 },
        { op: 'replace', path: '/rows/0/at', value: 2 },
      ])
      expect(first.hash).toBe(hashDocument(document(2)))
      await weir.send('POST', `/api/streams/${id}/stop`)
      version = 3
      await weir.send('POST', `/api/streams/${id}/start`)
      const second = await weir.entry(
        id,
        'the next patch is logged',
        ({ kind, seq }) => kind === 'patch' && seq > first.seq,
      )
      expect(second.hash).toBe(hashDocument(document(3)))
      const stored = (await weir.logs(id)).filter(({ kind }) => kind === 'snapshot' || kind === 'patch')
      const [snapshot, ...patches] = stored.map(({ data }) => stringifyJson(data as Json))
      expect(stored.map(({ kind }) => kind)).toEqual(['snapshot', 'patch', 'patch'])
      expect(rebuild(snapshot as string, patches).hash).toBe(hashDocument(document(3)))
    })

    test('large documents are shown as they were, and how they changed', async () => {
      let version = 1
      const url = upstream.on('/shown', () => Response.json(document(version)))
      const { id } = await poll(url)
      const first = await weir.entry(id, 'the document is logged', ({ kind }) => kind === 'snapshot')
      version = 2
      const second = await weir.entry(id, 'a patch is logged', ({ kind }) => kind === 'patch')
      for (const [entry, of] of [[first, 1] as const, [second, 2] as const]) {
        const at = await weir.get(`/api/streams/${id}/document?at=seq:${entry.seq}`)
        expect([at.headers.get('etag'), await at.json()]).toEqual([`W/"${entry.hash}"`, document(of)])
      }
      const change = await weir.json<{ patch: unknown }>(`/api/streams/${id}/diff`)
      expect(change.patch).toEqual(second.data)
      const page = await (await weir.get(`/streams/${id}/document`)).text()
      expect(page).toContain('/rows/0/at')
    })

    test('what is too hard to compare is stored whole, and an equal one as the body that is there', async () => {
      let version = 1
      const url = upstream.on('/numbers', () => Response.json(numbers(version)))
      const { id } = await poll(url)
      for (const next of [2, 1]) {
        const count = async () => (await weir.logs(id)).filter(({ kind }) => kind === 'snapshot').length
        await until('there is a document', async () => (await count()) > 0)
        const before = await count()
        version = next
        await until('the next one is logged', async () => (await count()) > before)
      }
      const snapshots = (await weir.logs(id)).filter(({ kind }) => kind === 'snapshot')
      expect(snapshots.map(({ hash }) => hash)).toEqual([1, 2, 1].map((each) => hashDocument(numbers(each))))
      for (const { data, hash } of snapshots) expect(hashDocument(data as Json)).toBe(hash as string)
    })

    test('large patches and documents of a stream are followed too', async () => {
      const feed = new Feed()
      const url = upstream.on('/feed', () =>
        feed.response({}, `event: data\nid: 1\ndata: ${stringifyJson(document(1))}\n\n`),
      )
      const { id } = await weir.register({ url, kind: 'sse' })
      await weir.entry(id, 'the document is logged', ({ kind }) => kind === 'snapshot')
      feed.send('event: patch\nid: 2\ndata: [{"op":"replace","path":"/version","value":7}]\n\n')
      feed.send('event: price\nid: 3\ndata: between\n\n')
      feed.send(
        `event: patch\nid: 4\ndata: [{"op":"add","path":"/more","value":"${'y'.repeat(100_000)}"}]\n\n`,
      )
      feed.send(
        'event: patch\nid: 5\ndata: [{"op":"remove","path":"/text"},{"op":"remove","path":"/more"}]\n\n',
      )
      feed.send('event: patch\nid: 6\ndata: [{"op":"remove","path":"/rows"}]\n\n')
      const last = await weir.entry(id, 'the last is logged', ({ eventId }) => eventId === '6')
      expect(last).toMatchObject({ kind: 'snapshot', data: { version: 7 } })
      const kinds = (await weir.logs(id)).map(({ kind, eventId }) => [kind, eventId])
      expect(kinds).toEqual([
        ['exchange', undefined],
        ['snapshot', '1'],
        ['patch', '2'],
        ['event', '3'],
        ['patch', '4'],
        ['snapshot', '5'],
        ['snapshot', '6'],
      ])
    })
  })
})
