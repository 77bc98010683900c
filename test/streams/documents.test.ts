import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { applyPatch, type Operation } from 'fast-json-patch'
import { Client } from 'pg'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { type LoggedEntry, startTestWeir, type TestWeir } from '../support/weir.ts'

interface Difference {
  from: { seq: number; at: string; hash: string }
  to: { seq: number; at: string; hash: string }
  patch: Operation[]
  patchBytes: number
  snapshotBytes: number
}

/** What the log has of each version, in order. */
const MADE = new Set(['snapshot', 'patch'])
const VERSIONS = 5

describe.each(SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let upstream: Upstream
    let weir: TestWeir
    /** A polled stream, each body that its upstream served, and the entry of each. */
    let id: string
    const served: string[] = []
    let made: LoggedEntry[]

    beforeAll(async () => {
      services = await setup.open()
      upstream = startUpstream()
      weir = await startTestWeir(services.environment)
      const url = upstream.on('/rows', (_request, hit) => {
        // Every other poll finds what the one before did; then all stays as it is.
        const version = Math.min(Math.ceil(hit / 2), VERSIONS)
        const body = bodyOf(version)
        served[version - 1] = body
        return new Response(body, { headers: { 'Content-Type': 'application/json' } })
      })
      id = (await weir.register({ url, kind: 'poll', intervalMs: 500 })).id
      made = await until('all versions are logged', async () => {
        const versions = (await weir.logs(id)).filter((entry) => MADE.has(entry.kind))
        return versions.length === VERSIONS && versions
      })
    })

    afterAll(async () => {
      await weir.close()
      await upstream.stop()
      await services.close()
    })

    const document = (query = '', init?: RequestInit) =>
      fetch(`${weir.url}/api/streams/${id}/document${query}`, init)
    const textAt = async (moment: string) => (await document(`?at=${moment}`)).text()
    const difference = (query: string) => weir.json<Difference>(`/api/streams/${id}/diff${query}`)
    const problem = async (path: string) => {
      const response = await weir.get(path)
      return { status: response.status, ...((await response.json()) as { code: string; detail: string }) }
    }

    test('each version is the body that the upstream served, by entry and by time', async () => {
      expect(made.map((entry) => entry.kind)).toContain('patch')
      for (const [index, { seq, at, hash }] of made.entries()) {
        const response = await document(`?at=seq:${seq}`)
        expect(await response.text()).toBe(served[index] as string)
        expect(response.headers.get('content-type')).toBe('application/json')
        expect(response.headers.get('etag')).toBe(`W/"${hash}"`)
        expect(response.headers.get('x-weir-seq')).toBe(String(seq))
        expect(response.headers.get('last-modified')).toBe(new Date(at).toUTCString())
        expect(await textAt(at)).toBe(served[index] as string)
        expect(await textAt(at.replace('T', ' '))).toBe(served[index] as string)
      }
      expect(await (await document()).text()).toBe(served[VERSIONS - 1] as string)
    })

    test('between two versions, the earlier one applies', async () => {
      for (const [index, { seq, at }] of made.slice(1).entries()) {
        const justBefore = new Date(Date.parse(at) - 1).toISOString()
        expect(await textAt(justBefore)).toBe(served[index] as string)
        // The entry before is a poll that found nothing new.
        expect(await textAt(`seq:${seq - 1}`)).toBe(served[index] as string)
        expect((await document(`?at=seq:${seq - 1}`)).headers.get('x-weir-seq')).toBe(
          String(made[index]?.seq),
        )
      }
    })

    test('a future time means now', async () => {
      expect(await textAt('9999-12-31T23:59:59Z')).toBe(served[VERSIONS - 1] as string)
      expect(await textAt('9999-12-31')).toBe(served[VERSIONS - 1] as string)
    })

    test('a document that the caller has already isn’t sent again', async () => {
      const { seq, hash } = made[1] as LoggedEntry
      for (const tag of [`W/"${hash}"`, `"${hash}"`, `"other", W/"${hash}"`, '*']) {
        const response = await document(`?at=seq:${seq}`, { headers: { 'If-None-Match': tag } })
        expect([response.status, await response.text()]).toEqual([304, ''])
        expect(response.headers.get('etag')).toBe(`W/"${hash}"`)
        expect(response.headers.get('x-weir-seq')).toBe(String(seq))
      }
      const others = await document(`?at=seq:${seq}`, { headers: { 'If-None-Match': `"${made[0]?.hash}"` } })
      expect(others.status).toBe(200)
    })

    test('a diff applied to one version gives the other, in both directions', async () => {
      for (const from of made) {
        for (const to of made) {
          const { patch, ...told } = await difference(`?from=seq:${from.seq}&to=${to.at}`)
          const start = JSON.parse(await textAt(`seq:${from.seq}`))
          const target = await textAt(`seq:${to.seq}`)
          expect(applyPatch(start, patch).newDocument).toEqual(JSON.parse(target))
          expect(told).toEqual({
            from: { seq: from.seq, at: from.at, hash: from.hash as string },
            to: { seq: to.seq, at: to.at, hash: to.hash as string },
            patchBytes: from === to ? 0 : Buffer.byteLength(JSON.stringify(patch)),
            snapshotBytes: Buffer.byteLength(target),
          })
        }
      }
    })

    test('without times, a diff is the last change', async () => {
      const { from, to, patch } = await difference('')
      expect([from.seq, to.seq]).toEqual([made.at(-2)?.seq as number, made.at(-1)?.seq as number])
      expect(patch).toEqual([{ op: 'replace', path: '/version', value: VERSIONS }])
    })

    test('versions are listed newest first, with what changed, page by page', async () => {
      const pages: { seq: number; paths: string[]; at: string; snapshotBytes: number }[][] = []
      let before: number | null | undefined
      do {
        const cursor = before === undefined ? '' : `&before=${before}`
        const page = await weir.json<{ items: (typeof pages)[0]; next: number | null }>(
          `/api/streams/${id}/versions?limit=2${cursor}`,
        )
        pages.push(page.items)
        before = page.next
      } while (before !== null)
      expect(pages.map((page) => page.length)).toEqual([2, 2, 1])
      const items = pages.flat().reverse()
      expect(items.map(({ seq, at }) => ({ seq, at }))).toEqual(made.map(({ seq, at }) => ({ seq, at })))
      expect(items.map(({ paths }) => paths)).toEqual([[''], ...made.slice(1).map(() => ['/version'])])
      expect(items.map(({ snapshotBytes }) => snapshotBytes)).toEqual(
        served.map((body) => Buffer.byteLength(body)),
      )
      const some = `from=seq:${made[1]?.seq}&to=${made[2]?.at}`
      const { items: between } = await weir.json<{ items: unknown[] }>(`/api/streams/${id}/versions?${some}`)
      expect(between).toMatchObject([{ seq: made[2]?.seq }, { seq: made[1]?.seq }])
    })

    test.each(['at=nonsense', 'at=seq:', 'at=seq:0', 'at=seq:-1', 'at=seq:1e3', 'at=seq:1.5', 'when=now'])(
      'document?%s is rejected with a message',
      async (query) => {
        expect(await problem(`/api/streams/${id}/document?${query}`)).toMatchObject({
          status: 422,
          code: 'invalid_field',
        })
      },
    )

    test.each(['diff?from=nonsense', 'diff?to=seq:x', 'versions?limit=0', 'versions?before=x'])(
      '%s is rejected with a message',
      async (path) => {
        expect(await problem(`/api/streams/${id}/${path}`)).toMatchObject({ status: 422 })
      },
    )

    test('before the first document, the response names its time', async () => {
      const { at, seq } = made[0] as LoggedEntry
      const detail = `The stream had no document at that time. Its first one is from ${at}, entry ${seq}.`
      for (const moment of [new Date(Date.parse(at) - 1).toISOString(), '1969-01-01', '0001-01-01']) {
        expect(await problem(`/api/streams/${id}/document?at=${moment}`)).toMatchObject({
          status: 404,
          code: 'not_found',
          detail,
        })
      }
      const first = await problem(`/api/streams/${id}/diff?to=seq:${seq}`)
      expect(first).toMatchObject({ status: 404, detail: expect.stringContaining('There is none before it') })
    })

    test('a future entry has no document yet', async () => {
      const later = await problem(`/api/streams/${id}/document?at=seq:900000`)
      expect(later).toMatchObject({
        status: 404,
        detail: expect.stringContaining("Entry 900000 doesn't exist yet"),
      })
    })

    test('numbers beyond double precision are kept digit for digit, in documents and diffs', async () => {
      const numbers = ['12345678901234567890', '12345678901234567891', '0.10000000000000001', '1e400']
      const text = 'x'.repeat(100)
      const body = (hit: number) => `{"n":${numbers[Math.min(hit, 4) - 1]},"text":"${text}"}`
      const url = upstream.on('/numbers', (_request, hit) => new Response(body(hit)))
      const big = await weir.register({ url, kind: 'poll', intervalMs: 500 })
      await weir.entry(big.id, 'all are logged', (entry) => entry.seq === numbers.length)
      for (const [index, number] of numbers.entries()) {
        const response = await weir.get(`/api/streams/${big.id}/document?at=seq:${index + 1}`)
        expect(await response.text()).toBe(`{"n":${number},"text":"${text}"}`)
      }
      const change = await weir.get(`/api/streams/${big.id}/diff?from=seq:1&to=seq:4`)
      expect(await change.text()).toContain('"patch":[{"op":"replace","path":"/n","value":1e400}]')
    })

    test('an event stream has no document, and the response says what it has', async () => {
      const feed = new Feed()
      const url = upstream.on('/events', () => feed.response({}, 'data: {"n":1}\n\n'))
      const events = await weir.register({ url, kind: 'sse' })
      await weir.entry(events.id, 'the event is logged', (entry) => entry.kind === 'event')
      const none = await problem(`/api/streams/${events.id}/document`)
      expect(none).toMatchObject({
        status: 404,
        detail: expect.stringContaining(`/api/streams/${events.id}/logs`),
      })
      expect(await weir.json(`/api/streams/${events.id}/versions`)).toEqual({ items: [], next: null })
    })

    test('the document of an upstream that sends patches is available at each of them', async () => {
      const patches = [1, 2, 3].map(
        (n) => `event: patch\ndata: [{"op":"add","path":"/list/-","value":${n}}]\n\n`,
      )
      const text = 'x'.repeat(100)
      const url = upstream.on('/patches', () =>
        new Feed().response({}, `event: data\ndata: {"list": [], "text":"${text}"}\n\n${patches.join('')}`),
      )
      const feed = await weir.register({ url, kind: 'sse' })
      const last = await weir.entry(feed.id, 'all are logged', ({ kind, data }) => {
        return kind === 'patch' && JSON.stringify(data).includes('"value":3')
      })
      const at = async (seq: number) =>
        (await weir.get(`/api/streams/${feed.id}/document?at=seq:${seq}`)).text()
      // A snapshot as it came, white space and all; what patches made of it as JSON is written.
      expect(await at(last.seq - 3)).toBe(`{"list": [], "text":"${text}"}`)
      expect(await at(last.seq - 1)).toBe(`{"list":[1,2],"text":"${text}"}`)
      expect(await at(last.seq)).toBe(`{"list":[1,2,3],"text":"${text}"}`)
    })

    // Only one process can have the embedded database.
    if (setup.name === 'embedded') return
    test('damaged data is reported as such', async () => {
      const url = upstream.on('/damaged', (_request, hit) => new Response(bodyOf(hit)))
      const damaged = await weir.register({ url, kind: 'poll', intervalMs: 500 })
      const patched = await weir.entry(damaged.id, 'a patch is logged', (entry) => entry.kind === 'patch')
      const client = new Client({ connectionString: services.environment.DATABASE_URL })
      await client.connect()
      const data = '[{"op":"replace","path":"/version","value":99}]'
      const which = [data, damaged.id, patched.seq]
      await client.query('UPDATE weir.entries SET data = $1 WHERE stream_id = $2 AND seq = $3', which)
      await client.end()
      expect(await problem(`/api/streams/${damaged.id}/document?at=seq:${patched.seq}`)).toMatchObject({
        status: 500,
        code: 'damaged',
        detail: expect.stringContaining(`Entry ${patched.seq} `),
      })
    })
  })
})

function bodyOf(version: number): string {
  return JSON.stringify({
    version,
    rows: Array.from({ length: 20 }, (_, row) => ({ id: row, name: `row ${row}` })),
  })
}
