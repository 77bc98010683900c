import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { rebuild } from '../../src/streams/ingest/follow-document.ts'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { type LoggedEntry, startTestWeir, type TestWeir } from '../support/weir.ts'

describe.each(SETUPS)('on $name', (setup) => {
  describe.concurrent.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let upstream: Upstream
    let weir: TestWeir

    beforeAll(async () => {
      services = await setup.open()
      upstream = startUpstream()
      weir = await startTestWeir({
        ...services.environment,
        // Ten redirects take less, whatever the load.
        REQUEST_TIMEOUT_MS: '3000',
        MAX_BODY_BYTES: '65536',
      })
    })

    afterAll(async () => {
      await weir.close()
      await upstream.stop()
      await services.close()
    })

    const poll = (url: string, more: Record<string, unknown> = {}) =>
      weir.register({ url, kind: 'poll', intervalMs: 500, ...more })
    const hits = (path: string) => upstream.requests.get(path)?.length ?? 0

    test('a first document is a snapshot, changes are patches, and unchanged polls are recorded as such', async () => {
      const rows = Array.from({ length: 20 }, (_, id) => ({ id, name: `row ${id}` }))
      const url = upstream.on('/rows', (_request, hit) =>
        Response.json(hit < 3 ? rows : [{ id: 99, name: 'new' }, ...rows]),
      )
      const { id } = await poll(url)
      const patch = await weir.entry(id, 'a patch is logged', (entry) => entry.kind === 'patch')
      const [first, second] = await weir.logs(id)
      expect(first).toMatchObject({ seq: 1, kind: 'snapshot', data: rows })
      expect(first?.changed).toBeUndefined()
      expect(second).toMatchObject({ seq: 2, kind: 'exchange', changed: false, patchBytes: 0 })
      expect(patch).toMatchObject({
        changed: true,
        data: [{ op: 'add', path: '/0', value: { id: 99, name: 'new' } }],
      })
      expect(patch.request).toMatchObject({ method: 'GET', url })
      expect(patch.response?.status).toBe(200)
    })

    test('patches applied in order to their snapshot give the hash of each one', async () => {
      let version = 0
      const url = upstream.on('/versions', () => {
        version++
        const list = Array.from({ length: 12 }, (_, id) => ({
          id,
          name: `row number ${id}`,
          at: Math.floor(version / (id + 1)),
        }))
        return Response.json({ version, list })
      })
      const { id } = await poll(url)
      await weir.entry(id, 'three patches are logged', (entry) => entry.seq >= 4)
      const [snapshot, ...patches] = await weir.logs(id)
      expect(patches.map((entry) => entry.kind)).toEqual(patches.map(() => 'patch'))
      for (const [index, patch] of patches.entries()) {
        const texts = patches.slice(0, index + 1).map((entry) => JSON.stringify(entry.data))
        expect(rebuild(JSON.stringify(snapshot?.data), texts).hash).toBe(patch.hash as string)
      }
    })

    test('a patch larger than its document is sent as a snapshot', async () => {
      const url = upstream.on('/turned', (_request, hit) =>
        Response.json(hit === 1 ? { a: 1, b: 2 } : { c: [hit] }),
      )
      const { id } = await poll(url)
      const second = await weir.entry(id, 'the change is logged', (entry) => entry.seq === 2)
      expect(second).toMatchObject({ kind: 'snapshot', changed: true, data: { c: [2] } })
      // Both sizes are told, and neither is the other's.
      expect(second).toMatchObject({ snapshotBytes: second.bodyBytes })
      expect(second.patchBytes).toBeGreaterThan(second.bodyBytes)
    })

    test('validators are sent, and a 304 is an unchanged document', async () => {
      const url = upstream.on('/etag', (request) =>
        request.headers.get('if-none-match') === '"v1"'
          ? new Response(null, { status: 304 })
          : Response.json({ v: 1 }, { headers: { ETag: '"v1"' } }),
      )
      const { id } = await poll(url)
      const second = await weir.entry(id, 'the second poll is logged', (entry) => entry.seq === 2)
      expect(second).toMatchObject({
        kind: 'exchange',
        changed: false,
        bodyBytes: 0,
        response: { status: 304 },
      })
    })

    test('polls never overlap, however slow the responses are', async () => {
      let open = 0
      let most = 0
      const url = upstream.on('/slow', async (_request, hit) => {
        most = Math.max(most, ++open)
        if (hit <= 2) await Bun.sleep(1_200)
        open--
        return Response.json({ hit })
      })
      await poll(url)
      await until('four polls have begun', () => hits('/slow') >= 4)
      expect(most).toBe(1)
    })

    test('gzip is requested, and both sizes are known', async () => {
      const text = JSON.stringify({ text: 'weir '.repeat(2_000) })
      const url = upstream.on('/gzip', (request) => {
        expect(request.headers.get('accept-encoding')).toBe('gzip')
        return new Response(Bun.gzipSync(text), {
          headers: { 'Content-Encoding': 'gzip', 'Content-Type': 'application/json' },
        })
      })
      const { id } = await poll(url)
      const entry = await weir.entry(id, 'the poll is logged', (entry) => entry.kind === 'snapshot')
      expect(entry.bodyBytes).toBe(text.length)
      expect(entry.wireBytes).toBe(Bun.gzipSync(text).byteLength)
    })

    test('the cost of polling again is recorded for every response, including a 304', async () => {
      const text = JSON.stringify({ text: 'weir '.repeat(500) })
      const url = upstream.on('/sizes', (request, hit) => {
        const headers = { ETag: '"v1"', 'Content-Type': 'application/json', 'X-Long': 'x'.repeat(99) }
        if (hit > 2 && request.headers.has('if-none-match'))
          return new Response(null, { status: 304, headers })
        return new Response(text, { headers })
      })
      const { id } = await poll(url)
      await weir.entry(id, 'the third poll is logged', (entry) => entry.seq === 3)
      const [first, second, third] = await weir.logs(id)
      const gzipBytes = Bun.gzipSync(text, { library: 'zlib' }).byteLength
      const sizes = { plainBytes: text.length, gzipBytes }
      expect(first).toMatchObject({ kind: 'snapshot', ...sizes, headBytes: await headBytes(url) })
      expect(second).toMatchObject({ kind: 'exchange', bodyBytes: text.length, ...sizes })
      expect(third).toMatchObject({ response: { status: 304 }, wireBytes: 0, bodyBytes: 0, ...sizes })
    })

    test('a gzipped body has its received size as its gzip size', async () => {
      const text = JSON.stringify({ text: 'weir '.repeat(500) })
      const url = upstream.on('/barely-gzip', () => gzipped(text, 0))
      const { id } = await poll(url)
      const entry = await weir.entry(id, 'the poll is logged', (entry) => entry.kind === 'snapshot')
      expect(entry).toMatchObject({ plainBytes: text.length, gzipBytes: entry.wireBytes })
      expect(entry.wireBytes).toBeGreaterThan(text.length)
    })

    test('an event stream is refused at once, and its connection closed', async () => {
      const feed = new Feed()
      const url = upstream.on('/events', () => feed.response())
      const { id } = await poll(url)
      const error = await weir.entry(id, 'the error is logged', (entry) => entry.kind === 'error')
      const message = 'The API sends server-sent events. Change the kind of this stream to `sse`.'
      expect(error.data).toMatchObject({ code: 'bad_content_type', message })
      await until('nobody reads it', () => feed.readers === 0)
    })

    test('numbers beyond double precision are logged digit for digit', async () => {
      const versions = [
        '[12345678901234567890,{"n":1e400}]',
        '[12345678901234567891,{"n":0.10000000000000001}]',
      ]
      const rest = `,"text":"${'x'.repeat(200)}"}`
      const url = upstream.on(
        '/digits',
        (_request, hit) => new Response(`{"list":${versions[hit > 1 ? 1 : 0]}${rest}`),
      )
      const { id } = await poll(url)
      await weir.entry(id, 'the change is logged', (entry) => entry.kind === 'patch')
      const log = await (await weir.get(`/api/streams/${id}/logs`)).text()
      expect(log).toContain(versions[0] as string)
      expect(log).toContain('"path":"/list/1/n","value":0.10000000000000001}')
      expect(log).toContain('12345678901234567891')
    })

    test('only the part at the pointer is followed, without ignored paths', async () => {
      const url = upstream.on('/parts', (_request, hit) =>
        Response.json({ meta: hit, data: { at: hit, rows: [{ id: 1, seen: hit }] } }),
      )
      const { id } = await poll(url, { payloadPointer: '/data', ignorePaths: ['/at', '/rows/*/seen'] })
      const second = await weir.entry(id, 'the second poll is logged', (entry) => entry.seq === 2)
      expect((await weir.logs(id))[0]?.data).toEqual({ rows: [{ id: 1 }] })
      expect(second).toMatchObject({ kind: 'exchange', changed: false })
    })

    test('text and binary bodies are compared by hash and size', async () => {
      const url = upstream.on('/text', (_request, hit) => new Response(hit < 3 ? 'one' : 'two'))
      const { id } = await poll(url)
      const binary = upstream.on('/binary', () => new Response(new Uint8Array([0, 1, 2, 255])))
      const other = await poll(binary)
      const changed = await weir.entry(id, 'the change is logged', (entry) => entry.changed === true)
      expect(changed).toMatchObject({ kind: 'exchange', data: 'two', bodyBytes: 3, hash: sha('two') })
      expect(changed.patchBytes).toBeUndefined()
      const logged = await weir.entry(other.id, 'the binary body is logged', (entry) => entry.seq === 1)
      expect(logged).toMatchObject({
        kind: 'exchange',
        bodyBytes: 4,
        hash: sha(new Uint8Array([0, 1, 2, 255])),
      })
    })

    /** Answers wrongly once, then as it should. */
    test.each<[string, () => Response | Promise<Response>, string]>([
      ['/500', () => new Response('broken', { status: 500 }), 'bad_status'],
      ['/large', () => Response.json('x'.repeat(70_000)), 'too_large'],
      ['/bomb', () => gzipped('0'.repeat(1_000_000)), 'too_large'],
      ['/not-gzip', () => new Response('plain', { headers: { 'Content-Encoding': 'gzip' } }), 'bad_encoding'],
      ['/never', () => new Promise<Response>(() => {}), 'timeout'],
      ['/drip', () => drip(), 'timeout'],
      ['/loop', () => Response.redirect(`${upstream.url}/loop-again`), 'too_many_redirects'],
    ])('%s is an error with a code, and the stream continues', async (path, behave, code) => {
      upstream.on('/loop-again', () => Response.redirect(`${upstream.url}/loop-again`))
      const url = upstream.on(path, (_request, hit) => (hit === 1 ? behave() : Response.json({ ok: true })))
      const { id } = await poll(url)
      const error = await weir.entry(id, 'the error is logged', (entry) => entry.kind === 'error')
      expect(error.data).toMatchObject({ code, failures: 1 })
      await weir.entry(id, 'the document is logged', (entry) => entry.kind === 'snapshot')
      await weir.status(id, 'live')
    })

    test('of a body that is too large, its size and the hash of what was read are in the log', async () => {
      const url = upstream.on('/size', () => Response.json('x'.repeat(70_000)))
      const { id } = await poll(url, { intervalMs: 60_000 })
      const error = await weir.entry(id, 'the error is logged', (entry) => entry.kind === 'error')
      expect(error).toMatchObject({ hash: expect.any(String), data: { code: 'too_large', bytes: 70_002 } })
    })

    test('an unreachable upstream is an error, and doesn’t affect others', async () => {
      const gone = startUpstream()
      const url = `${gone.url}/gone`
      await gone.stop()
      const fine = await poll(upstream.on('/fine', () => Response.json([])))
      const { id } = await poll(url)
      const error = await weir.entry(id, 'the error is logged', (entry) => entry.kind === 'error')
      expect(error.data).toMatchObject({ code: 'connection_failed' })
      await weir.status(id, 'backing-off')
      await weir.status(fine.id, 'live')
    })

    test('a missing sub-document is an error', async () => {
      const { id } = await poll(
        upstream.on('/no-part', () => Response.json({ a: 1 })),
        { payloadPointer: '/b' },
      )
      const error = await weir.entry(id, 'the error is logged', (entry) => entry.kind === 'error')
      expect(error.data).toMatchObject({ code: 'pointer_missing' })
    })

    test('the owner’s headers and body are sent, and header values never shown', async () => {
      const seen: string[] = []
      const url = upstream.on('/secret', async (request) => {
        seen.push(`${request.method} ${request.headers.get('x-key')} ${await request.text()}`)
        return Response.json({})
      })
      const { id } = await poll(url, { method: 'POST', headers: { 'X-Key': 'hush-hush' }, body: '{"q":1}' })
      await weir.entry(id, 'the poll is logged', (entry) => entry.seq === 1)
      expect(seen[0]).toBe('POST hush-hush {"q":1}')
      for (const path of [
        `/api/streams/${id}`,
        `/api/streams/${id}/logs`,
        '/api/streams',
        `/streams/${id}`,
      ]) {
        expect(await (await weir.get(path)).text()).not.toContain('hush-hush')
      }
    })

    test('polls stop with the stream, and continue when it is started', async () => {
      const { id } = await poll(upstream.on('/stop', (_request, hit) => Response.json({ hit })))
      await until('two polls were made', () => hits('/stop') >= 2)
      await weir.send('POST', `/api/streams/${id}/stop`)
      await weir.status(id, 'stopped')
      const run = () => weir.json<{ run: unknown }>(`/api/streams/${id}/status`)
      await until('nobody holds it', async () => (await run()).run === null)
      const before = hits('/stop')
      await weir.send('POST', `/api/streams/${id}/start`)
      await until('it is polled again', () => hits('/stop') > before)
      const entries = await weir.logs(id)
      expect(entries.map((entry: LoggedEntry) => entry.seq)).toEqual(entries.map((_, index) => index + 1))
    })

    function sha(content: string | Uint8Array): string {
      return new Bun.CryptoHasher('sha256').update(content).digest('hex')
    }

    function gzipped(text: string, level: 0 | 6 = 6): Response {
      return new Response(Bun.gzipSync(text, { level }), {
        headers: { 'Content-Encoding': 'gzip', 'Content-Type': 'application/json' },
      })
    }

    /** Of the head of an answer as it stands on the wire. */
    async function headBytes(url: string): Promise<number> {
      const { hostname, port, pathname } = new URL(url)
      const received = Promise.withResolvers<number>()
      let text = ''
      await Bun.connect({
        hostname,
        port: Number(port),
        socket: {
          data: (socket, bytes) => {
            text += bytes.toString('latin1')
            const end = text.indexOf('\r\n\r\n')
            if (end < 0) return
            received.resolve(end + 4)
            socket.end()
          },
          open: (socket) => void socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`),
        },
      })
      return received.promise
    }

    /** Sends a byte now and then, and never ends. */
    function drip(): Response {
      let timer: Timer
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => {
          timer = setInterval(() => controller.enqueue(new Uint8Array([32])), 50)
        },
        cancel: () => clearInterval(timer),
      })
      return new Response(body, { headers: { 'Content-Type': 'application/json' } })
    }
  })
})
