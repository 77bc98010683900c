import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { hashDocument, sha256 } from '../../src/core/documents/document.ts'
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
        MAX_BODY_BYTES: '4096',
      })
    })

    afterAll(async () => {
      await weir.close()
      await upstream.stop()
      await services.close()
    })

    /** A stream whose upstream is a feed, connected. */
    async function followed(path: string, feed = new Feed(), more: object = {}) {
      const url = upstream.on(path, () => feed.response({}, 'retry: 10\n\n'))
      const { id } = await weir.register({ url, kind: 'sse', ...more })
      await until('the feed has a reader', () => feed.readers > 0)
      return { id, feed }
    }

    test('events of any name are logged with data, lines and ID', async () => {
      const { id, feed } = await followed('/any-name')
      feed.send('event: price\nid: 7\ndata: one\ndata: two\n\n')
      const entry = await weir.entry(id, 'the event is logged', (entry) => entry.kind === 'event')
      expect(entry).toMatchObject({ event: 'price', eventId: '7', data: 'one\ntwo' })
    })

    test('an ID too long to be sent back is ignored, and a long name is cut', async () => {
      const { id, feed } = await followed('/long-id')
      feed.send(`id: ${'9'.repeat(10_001)}\nevent: ${'n'.repeat(3_000)}\ndata: long\n\n`)
      const entry = await weir.entry(id, 'the event is logged', (entry) => entry.data === 'long')
      expect(entry.eventId).toBeUndefined()
      expect(entry.event).toBe('n'.repeat(200))
    })

    test('CR, LF and CRLF end lines, a BOM is skipped, and characters split over chunks are whole', async () => {
      const { id, feed } = await followed('/line-ends')
      const bytes = new TextEncoder().encode('data: lf\n\ndata: cr\r\rdata: crlf\r\n\r\ndata: zł€😀\n\n')
      for (const byte of bytes) feed.send(new Uint8Array([byte]))
      await weir.entry(id, 'the last event is logged', (entry) => entry.data === 'zł€😀')
      const events = (await weir.logs(id)).filter((entry) => entry.kind === 'event')
      expect(events.map((entry) => entry.data)).toEqual(['lf', 'cr', 'crlf', 'zł€😀'])

      const bom = upstream.on('/bom', () => new Feed().response({}, '\uFEFFdata: first\n\n'))
      const stream = await weir.register({ url: bom, kind: 'sse' })
      await weir.entry(stream.id, 'the event after the BOM is logged', (entry) => entry.data === 'first')
    })

    test('wire bytes of the entries add up to the bytes sent', async () => {
      const { id, feed } = await followed('/bytes')
      const chunks = ['data: a\n\n: heartbeat\n\n', 'data: bb\n\nevent: x\ndata: ccc\n\n', 'data: d\n\n']
      for (const chunk of chunks) feed.send(chunk)
      await weir.entry(id, 'the last event is logged', (entry) => entry.data === 'd')
      const sent = 'retry: 10\n\n'.length + chunks.join('').length
      const logged = (await weir.logs(id)).reduce((sum, entry) => sum + entry.wireBytes, 0)
      expect(logged).toBe(sent)
    })

    test('after a disconnect it resumes after the last ID', async () => {
      const { id, feed } = await followed('/resume')
      feed.send('id: żółw-41\ndata: before\n\n')
      await weir.entry(id, 'the first event is logged', (entry) => entry.data === 'before')
      feed.end()
      const second = await until('it connects again', () => upstream.requests.get('/resume')?.[1])
      // A header holds bytes: the UTF-8 of the id, read back as Latin-1.
      const sent = Buffer.from(second.headers.get('last-event-id') ?? '', 'latin1').toString('utf8')
      expect(sent).toBe('żółw-41')
      await until('the feed has a reader again', () => feed.readers > 0)
      feed.send('id: żółw-42\ndata: after\n\n')
      await weir.entry(id, 'the event after the break is logged', (entry) => entry.data === 'after')
      expect((await weir.logs(id)).some((entry) => entry.kind === 'gap')).toBe(false)
    })

    /** Breaks the connection, and sends this on the next one. */
    async function afterBreak(path: string, before: string, after: string, more: object = {}) {
      const { id, feed } = await followed(path, new Feed(), more)
      feed.send(before)
      await weir.entry(id, 'the first events are logged', (entry) => entry.data === 'before')
      feed.end()
      await until('it connects again', () => upstream.requests.get(path)?.[1])
      await until('the feed has a reader again', () => feed.readers > 0)
      feed.send(after)
      await weir.entry(id, 'the event after the break is logged', (entry) => entry.data === 'after')
      const log = await weir.logs(id)
      const gaps = log.filter((entry) => entry.kind === 'gap').map((entry) => entry.data)
      const { evidence } = await weir.json<{ evidence: { resumes: object | null } }>(
        `/api/streams/${id}/status`,
      )
      return { id, log, gaps, resumes: evidence.resumes }
    }
    const NONE = { proven: 0, missed: 0, unproven: 0, trusted: 0 }

    // Alone: what others hold up may have been sent sooner, and a gap begins sooner by as much.
    test.serial.each([
      ['of UUIDs', '3f2a-7c1d', '91b0-aa2e'],
      ['of a young counter', '3', '7'],
      ['of a counter that begins again', '5', '1'],
      ['on the first event alone', '5', ''],
    ])('an upstream that may ignore Last-Event-ID leaves a gap: IDs %s', async (name, before, after) => {
      const next = after === '' ? '' : `id: ${after}\n`
      const told = await afterBreak(
        `/ignores-${name.replaceAll(' ', '-')}`,
        `id: ${before}\ndata: before\n\n`,
        `${next}data: after\n\n`,
      )
      expect(told.gaps).toMatchObject([{ reason: 'resume_unproven' }])
      expect(told.resumes).toEqual({ ...NONE, unproven: 1 })
      const { from, to } = told.gaps[0] as { from: string; to: string }
      const connections = told.log.filter((entry) => entry.kind === 'exchange')
      expect(Date.parse(from)).toBeGreaterThanOrEqual(Date.parse(connections[0]?.at ?? ''))
      expect(to).toBe(connections[1]?.at ?? '')
      const at = (data: string) => told.log.findIndex((entry) => entry.data === data)
      expect(told.log.findIndex((entry) => entry.kind === 'gap')).toBeLessThan(at('after'))
    })

    test.each([
      ['ids that count on', 'id: 5\ndata: before\n\n', 'id: 6\ndata: after\n\n'],
      [
        'ids that count on by two',
        'id: 1\ndata: a\n\nid: 3\ndata: b\n\nid: 5\ndata: before\n\n',
        'id: 7\ndata: after\n\n',
      ],
      [
        'events that are sent again',
        'id: aa\ndata: a\n\nid: bb\ndata: before\n\n',
        'id: bb\ndata: before\n\nid: cc\ndata: after\n\n',
      ],
    ])('no gap if nothing can be missing: %s', async (name, before, after) => {
      const told = await afterBreak(`/proves-${name.replaceAll(' ', '-')}`, before, after)
      expect(told.gaps).toEqual([])
      expect(told.resumes).toEqual({ ...NONE, proven: 1 })
      expect(told.log.filter((entry) => entry.data === 'before').length).toBe(1)
    })

    const counted = Array.from({ length: 20 }, (_, index) => `id: ${index + 1}\ndata: ${index + 1}\n\n`).join(
      '',
    )
    test.each([
      ['an unproven resume leaves no gap', 'id: aa\n', 'id: bb\n', [], { trusted: 1 }],
      ['IDs that count on still prove it', 'id: 5\n', 'id: 6\n', [], { proven: 1 }],
      ['missing IDs still leave a gap', `${counted}id: 21\n`, 'id: 32\n', ['missing_ids'], { missed: 1 }],
      ['nothing to resume from still leaves a gap', '', '', ['no_last_event_id'], null],
    ])('an upstream declared to resume: %s', async (name, before, after, reasons, counts) => {
      const path = `/declared-${name.replaceAll(' ', '-')}`
      const told = await afterBreak(path, `${before}data: before\n\n`, `${after}data: after\n\n`, {
        resumes: true,
      })
      expect(told.gaps.map((gap) => (gap as { reason: string }).reason)).toEqual(reasons)
      expect(told.resumes).toEqual(counts && { ...NONE, ...counts })
    })

    test('a declaration takes effect when it is changed', async () => {
      const { id, feed } = await followed('/declared-later')
      feed.send('id: aa\ndata: before\n\n')
      await weir.entry(id, 'the first event is logged', (entry) => entry.data === 'before')
      for (const [at, resumes] of [true, false].entries()) {
        const response = await weir.send('PATCH', `/api/streams/${id}`, { resumes })
        expect(await response.json()).toMatchObject({ resumes })
        await until('it connects again', () => upstream.requests.get('/declared-later')?.[at + 1])
        await until('the feed has a reader again', () => feed.readers > 0)
        feed.send(`id: declared-${resumes}\ndata: declared-${resumes}\n\n`)
        await weir.entry(id, 'the event is logged', (entry) => entry.data === `declared-${resumes}`)
        const gaps = (await weir.logs(id)).filter((entry) => entry.kind === 'gap')
        expect(gaps.length).toBe(resumes ? 0 : 1)
      }
    })

    test('a greeting that is the same on every connection proves nothing', async () => {
      const told = await afterBreak(
        '/greets',
        'id: hello\ndata: welcome\n\nid: aa\ndata: before\n\n',
        'id: hello\ndata: welcome\n\nid: cc\ndata: after\n\n',
      )
      expect(told.gaps).toMatchObject([{ reason: 'resume_unproven' }])
      expect(told.resumes).toEqual({ ...NONE, unproven: 1 })
    })

    test('heartbeats alone prove that the stream lives, not that nothing is missing', async () => {
      const { id, feed } = await followed('/heartbeats-after-break')
      feed.send('id: aa\ndata: before\n\n')
      await weir.entry(id, 'the event is logged', (entry) => entry.data === 'before')
      feed.end()
      await until('it connects again', () => upstream.requests.get('/heartbeats-after-break')?.[1])
      await until('the feed has a reader again', () => feed.readers > 0)
      const heart = setInterval(() => feed.send(': beat\n\n'), 100)
      const gap = await weir.entry(id, 'a gap is logged', (entry) => entry.kind === 'gap')
      clearInterval(heart)
      expect(gap.data).toMatchObject({ reason: 'resume_unproven' })
    })

    test('a disconnect of an upstream without IDs is recorded as a gap', async () => {
      const { id, feed } = await followed('/no-ids')
      feed.send('data: before\n\n')
      await weir.entry(id, 'the event is logged', (entry) => entry.data === 'before')
      feed.end()
      await until('it connects again', () => upstream.requests.get('/no-ids')?.[1])
      await until('the feed has a reader again', () => feed.readers > 0)
      feed.send('data: after\n\n')
      const gap = await weir.entry(id, 'a gap is logged', (entry) => entry.kind === 'gap')
      expect(gap.data).toMatchObject({ reason: 'no_last_event_id' })
    })

    // Alone, for the same reason.
    test.serial('a gap begins where the log ends, even if a run in between received nothing', async () => {
      const { id, feed } = await followed('/no-ids-twice')
      feed.send('data: before\n\n')
      await weir.entry(id, 'the event is logged', (entry) => entry.data === 'before')
      const again = async (connections: number) => {
        await weir.send('POST', `/api/streams/${id}/stop`)
        await weir.status(id, 'stopped')
        await until('the connection is closed', () => feed.readers === 0)
        await weir.send('POST', `/api/streams/${id}/start`)
        await until('it is logged that it connected', async () => {
          const exchanges = (await weir.logs(id)).filter((entry) => entry.kind === 'exchange')
          return exchanges.length === connections && feed.readers === 1 && exchanges
        })
      }
      await again(2)
      await again(3)
      feed.send('data: after\n\n')
      const gap = await weir.entry(id, 'a gap is logged', (entry) => entry.kind === 'gap')
      const connected = (await weir.logs(id)).filter((entry) => entry.kind === 'exchange')
      const from = Date.parse((gap.data as { from: string }).from)
      // The last byte came with the event, which is dated when it was read: a moment later.
      expect(from).toBeGreaterThanOrEqual(Date.parse(connected[0]?.at ?? ''))
      expect(from).toBeLessThan(Date.parse(connected[1]?.at ?? ''))
    })

    test('a document and its patches are followed as a document', async () => {
      const { id, feed } = await followed('/patches')
      feed.send(`event: data\ndata: {"price":1,"list":[1],"text":"${'x'.repeat(99)}"}\n\n`)
      feed.send('event: patch\ndata: [{"op":"replace","path":"/price","value":2}]\n\n')
      feed.send('event: patch\ndata: [{"op":"add","path":"/list/-","value":2}]\n\n')
      const last = await weir.entry(id, 'both patches are logged', (entry) => entry.seq === 4)
      const entries = (await weir.logs(id)).filter((entry) => entry.kind !== 'exchange')
      expect(entries.map((entry) => entry.kind)).toEqual(['snapshot', 'patch', 'patch'])
      const document = new Bun.CryptoHasher('sha256')
        .update(`{"list":[1,2],"price":2,"text":"${'x'.repeat(99)}"}`)
        .digest('hex')
      expect(last.hash).toBe(document)
    })

    test('patches after an unnamed first document are followed too', async () => {
      const { id, feed } = await followed('/unnamed-patches')
      feed.send(`data: {"n":1,"text":"${'x'.repeat(99)}"}\n\n`)
      feed.send('data: [{"op":"replace","path":"/n","value":2}]\n\n')
      feed.send('data: [{"op":"replace","path":"/n","value":3}]\n\n')
      await weir.entry(id, 'the patches are logged', (entry) => entry.seq === 4)
      const kinds = (await weir.logs(id)).map((entry) => entry.kind)
      // The first patch is logged as the document it makes: the log held none that it could be applied to.
      expect(kinds).toEqual(['exchange', 'event', 'snapshot', 'patch'])
    })

    test('a patch that doesn’t apply is an error, and a new document is requested', async () => {
      const feed = new Feed()
      const snapshot = 'retry: 10\nid: 1\nevent: data\ndata: {"a":1}\n\n'
      const url = upstream.on('/bad-patch', () => feed.response({}, snapshot))
      const { id } = await weir.register({ url, kind: 'sse' })
      await weir.entry(id, 'the document is logged', (entry) => entry.kind === 'snapshot')
      feed.send('id: 2\nevent: patch\ndata: [{"op":"remove","path":"/missing"}]\n\n')
      const error = await weir.entry(id, 'the error is logged', (entry) => entry.kind === 'error')
      expect(error.data).toMatchObject({ code: 'bad_patch' })
      const again = await until('it connects again', () => upstream.requests.get('/bad-patch')?.[1])
      expect(again.headers.get('last-event-id')).toBeNull()
    })

    test('a patch with too large a result is an error, and the stream continues', async () => {
      const copies = Array.from({ length: 21 }, (_, at) => ({ op: 'copy', from: '', path: `/${at}` }))
      const snapshot = 'retry: 10\nevent: data\nid: 1\ndata: {"a":"xxxxxxxxxx"}\n\n'
      const bomb = `event: patch\nid: 2\ndata: ${JSON.stringify(copies)}\n\n`
      const patch = 'event: patch\nid: 2\ndata: [{"op":"replace","path":"/a","value":1}]\n\n'
      const feed = new Feed()
      const url = upstream.on('/copies', (_request, hit) =>
        feed.response({}, snapshot + (hit === 1 ? bomb : patch)),
      )
      const { id } = await weir.register({ url, kind: 'sse' })
      await weir.entry(id, 'the stream goes on', ({ hash }) => hash === hashDocument({ a: 1 }))
      const log = await weir.logs(id)
      expect(log.filter(({ kind }) => kind === 'error').map(({ data }) => data)).toMatchObject([
        {
          code: 'too_large',
          message: "A patch wasn't applied: its copies add more than 4096 bytes to the document.",
        },
      ])
      const [first, , , again] = log.filter(({ kind }) => kind !== 'gap')
      expect([first?.kind, again?.kind]).toEqual(['exchange', 'exchange'])
      expect(again?.request?.headers).not.toHaveProperty('Last-Event-ID')
    })

    // Alone: others would take the time in which its heartbeats have to come.
    test.serial(
      'a silent connection is reopened, first quietly and then as stalled; heartbeats keep it alive',
      async () => {
        const silent = new Feed()
        const url = upstream.on('/silent', () => silent.response({}, 'retry: 10\ndata: hello\n\n'))
        const { id } = await weir.register({ url, kind: 'sse', silenceMs: 1_500 })
        const { id: quiet, feed } = await followed('/heartbeats', new Feed(), { silenceMs: 2_000 })
        const heart = setInterval(() => feed.send(': beat\n\n'), 200)
        await until('it connects again', () => upstream.requests.get('/silent')?.[1])
        expect((await weir.logs(id)).some((entry) => entry.kind === 'error')).toBe(false)
        const error = await weir.entry(id, 'the stall is logged', (entry) => entry.kind === 'error')
        expect(error.data).toMatchObject({ code: 'stalled', failures: 1 })
        clearInterval(heart)
        expect((await weir.logs(quiet)).some((entry) => entry.kind === 'error')).toBe(false)
      },
    )

    test('heartbeats alone show that a stream recovered: quiet, not backing off', async () => {
      const feed = new Feed()
      const url = upstream.on('/quiet', (_request, hit) =>
        hit === 1 ? new Response('', { status: 500 }) : feed.response(),
      )
      const { id } = await weir.register({ url, kind: 'sse' })
      await weir.entry(id, 'the failure is logged', (entry) => entry.kind === 'error')
      await until('it is connected', () => feed.readers > 0)
      const heart = setInterval(() => feed.send(': beat\n\n'), 100)
      await weir.status(id, 'quiet')
      // A connection that lived and ends is no failure either.
      feed.end()
      await until('it is connected again', () => feed.readers > 0)
      clearInterval(heart)
      expect((await weir.logs(id)).filter((entry) => entry.kind === 'error').length).toBe(1)
    })

    test('replayed events aren’t stored again, and missing ones are recorded', async () => {
      const history = (from: number, to: number) =>
        Array.from(
          { length: to - from + 1 },
          (_, index) => `id: ${from + index}\ndata: number ${from + index}\n\n`,
        ).join('')
      const feed = new Feed()
      // It pays no heed to Last-Event-ID: each time, it begins a little further back, and the third time too far on.
      const starts = [history(1, 15), history(5, 20), history(31, 33)]
      const url = upstream.on('/replays', (_request, hit) =>
        feed.response({}, `retry: 10\n\n${starts[hit - 1] ?? ''}`),
      )
      const { id } = await weir.register({ url, kind: 'sse' })
      await weir.entry(id, 'the first numbers are logged', (entry) => entry.eventId === '15')
      feed.end()
      await weir.entry(id, 'the next numbers are logged', (entry) => entry.eventId === '20')
      feed.end()
      await weir.entry(id, 'the last numbers are logged', (entry) => entry.eventId === '33')
      const entries = await weir.logs(id)
      const numbers = entries.flatMap((entry) => (entry.kind === 'event' ? [Number(entry.eventId)] : []))
      expect(numbers).toEqual([...Array.from({ length: 20 }, (_, index) => index + 1), 31, 32, 33])
      const gaps = entries.filter((entry) => entry.kind === 'gap').map((entry) => entry.data)
      expect(gaps).toMatchObject([{ reason: 'missing_ids', firstId: '21', lastId: '30', count: 10 }])
    })

    // Alone: it would take the time in which others have to be heard.
    test.serial('a history of 25,000 events replayed on each connection is stored once', async () => {
      const events = Array.from({ length: 25_000 }, (_, n) => {
        const id = new Bun.CryptoHasher('md5').update(`history ${n}`).digest('hex')
        return `id: ${id}\ndata: number ${n}\n\n`
      })
      let history = `retry: 10\n\n${events.join('')}`
      const feed = new Feed()
      const url = upstream.on('/history', () => feed.response({}, history))
      const { id } = await weir.register({ url, kind: 'sse' })
      // One entry: a page of them at every look would take longer than the history.
      const ask = async () => {
        const last = await weir.json<{ items: LoggedEntry[] }>(
          `/api/streams/${id}/logs?before=1000000&limit=1`,
        )
        return last.items.at(-1)
      }
      await until('the history is logged', async () => (await ask())?.data === 'number 24999', 60_000)
      for (const n of [1, 2]) {
        feed.end()
        await until('it connects again', () => upstream.requests.get('/history')?.[n])
        await until('the feed has a reader again', () => feed.readers > 0)
        const added = `id: new-${n}-x\ndata: new ${n}\n\n`
        feed.send(added)
        history += added
        await until('the new event is logged', async () => (await ask())?.data === `new ${n}`, 60_000)
      }
      const others = await weir.logs(id, '&kind=exchange,error,gap,end')
      const besides = others.map(({ kind }) => kind).filter((kind) => kind !== 'end')
      expect(besides).toEqual(['exchange', 'exchange', 'exchange'])
      expect((await ask())?.seq).toBe(25_000 + 2 + others.length)
    })

    test('equal events without their own IDs are all stored, before and after a disconnect', async () => {
      const feed = new Feed()
      const url = upstream.on('/ticks', () => feed.response({}, 'retry: 10\ndata: tick\n\n'))
      const { id } = await weir.register({ url, kind: 'sse' })
      await until('the feed has a reader', () => feed.readers > 0)
      feed.send('id: 1\ndata: start\n\ndata: tick\n\n')
      await weir.entry(id, 'both are logged', (entry) => entry.seq === 4)
      feed.end()
      await weir.entry(id, 'the tick after the break is logged', (entry) => entry.seq === 6)
      const ticks = (await weir.logs(id)).filter((entry) => entry.data === 'tick')
      expect(ticks.length).toBe(3)
    })

    test('an event has the bytes of its data, the stream all that was decoded', async () => {
      const { id, feed } = await followed('/framed')
      const lines = Array.from({ length: 50 }, (_, index) => `line ${index} ü`)
      // Both in one piece, so that no count of arrived bytes tells them apart.
      const sent = `: a comment\n\n${lines.map((line) => `data: ${line}\n`).join('')}\nevent: b\ndata: {"a": 1}\n\n`
      feed.send(sent)
      await weir.entry(id, 'the last one is logged', ({ event }) => event === 'b')
      const logged = await weir.logs(id)
      const [first, second] = logged.filter(({ kind }) => kind === 'event')
      expect(first?.bodyBytes).toBe(Buffer.byteLength(lines.join('\n')))
      expect(second?.bodyBytes).toBe(8)
      const decoded = logged.reduce(
        (sum, { bodyBytes, framingBytes = 0 }) => sum + bodyBytes + framingBytes,
        0,
      )
      expect(decoded).toBe(Buffer.byteLength(`retry: 10\n\n${sent}`))
      await until('it is summed', async () => {
        const size = await (await weir.get(`/api/streams/${id}/size`)).json()
        return (size as { total: { bodyBytes: number } }).total.bodyBytes === decoded
      })
    })

    test('an event beyond the limit is skipped, on the same connection, and told once', async () => {
      const { id, feed } = await followed('/huge')
      const data = 'x'.repeat(8_192)
      feed.send(`id: 7\nevent: big\ndata: ${data.slice(5_000)}`)
      feed.send(`${data.slice(0, 5_000)}\n\nid: 8\ndata: small\n\n`)
      await weir.entry(id, 'the next event is logged', (entry) => entry.data === 'small')
      const [connected, large, small] = await weir.logs(id)
      expect(connected?.kind).toBe('exchange')
      expect(large).toMatchObject({
        ...{ kind: 'error', event: 'big', eventId: '7', hash: sha256(data), data: { code: 'too_large' } },
        data: { code: 'too_large', bytes: 8_192 },
      })
      expect(large?.bodyBytes).toBeGreaterThanOrEqual(8_192)
      expect(small).toMatchObject({ seq: 3, eventId: '8' })
      const status = (await weir.status(id, 'live')) as { evidence: unknown }
      expect(status.evidence).toMatchObject({ failures: 0, lastError: { code: 'too_large' } })
      // It isn't asked for again.
      feed.end()
      const again = await until('it connects again', () => upstream.requests.get('/huge')?.[1])
      expect(again.headers.get('last-event-id')).toBe('8')
    })

    test('an event beyond the limit that breaks off is passed by its ID', async () => {
      const url = upstream.on('/broken-huge', (request, hit) => {
        const last = request.headers.get('last-event-id')
        const rest = hit === 1 ? `id: 2\ndata: ${'x'.repeat(5_000)}` : `id: 3\ndata: after ${last}\n\n`
        return new Response(`retry: 10\n${hit === 1 ? 'id: 1\ndata: one\n\n' : ''}${rest}`, {
          headers: { 'Content-Type': 'text/event-stream' },
        })
      })
      const { id } = await weir.register({ url, kind: 'sse' })
      await weir.entry(id, 'the event after it is logged', (entry) => entry.data === 'after 2')
      const errors = (await weir.logs(id)).filter(({ kind, eventId }) => kind === 'error' && eventId === '2')
      expect(errors).toMatchObject([{ data: { code: 'too_large', bytes: 5_000 } }])
      expect(errors[0]?.hash).toBeUndefined()
    })

    test('a patch beyond the limit costs one snapshot', async () => {
      const large = JSON.stringify([{ op: 'replace', path: '/a', value: 'x'.repeat(5_000) }])
      const url = upstream.on('/huge-patch', (_request, hit) =>
        new Feed().response(
          {},
          `retry: 10\nid: ${hit}\nevent: data\ndata: {"a":${hit}}\n\n${hit === 1 ? `id: 2\nevent: patch\ndata: ${large}\n\n` : ''}`,
        ),
      )
      const { id } = await weir.register({ url, kind: 'sse' })
      await weir.entry(id, 'the new document is logged', ({ hash }) => hash === hashDocument({ a: 2 }))
      const errors = (await weir.logs(id)).filter(({ kind }) => kind === 'error')
      expect(errors).toMatchObject([{ hash: sha256(large), data: { code: 'too_large' } }])
      expect(upstream.requests.get('/huge-patch')?.[1]?.headers.get('last-event-id')).toBeNull()
    })

    test('an upstream’s own journal of patches is logged as it is', async () => {
      const journal = [
        '{"hello":"reader"}',
        '[{"op":"replace","path":"/never","value":1}]',
        '[{"op":"add","path":"/new","value":1}]',
      ]
      const { id, feed } = await followed('/journal')
      for (const data of journal) feed.send(`data: ${data}\n\n`)
      await weir.entry(id, 'all of it is logged', ({ seq }) => seq === 4)
      const log = await weir.logs(id)
      expect(log.slice(1).map(({ kind, data }) => [kind, data])).toEqual(
        journal.map((data) => ['event', data]),
      )
      expect(upstream.requests.get('/journal')?.length).toBe(1)
    })

    test('a journal whose first patch fitted by chance is logged as it is from the first that doesn’t', async () => {
      const { id, feed } = await followed('/chance')
      feed.send('data: {"hello":"reader"}\n\ndata: [{"op":"add","path":"/new","value":1}]\n\n')
      feed.send('data: [{"op":"remove","path":"/never"}]\n\ndata: [{"op":"remove","path":"/new"}]\n\n')
      await weir.entry(id, 'all of it is logged', ({ seq }) => seq === 5)
      const kinds = (await weir.logs(id)).map(({ kind }) => kind)
      expect(kinds).toEqual(['exchange', 'event', 'snapshot', 'event', 'event'])
    })

    test.each([
      ['/status-500', () => new Response('broken', { status: 500 }), 'bad_status'],
      ['/status-204', () => new Response(null, { status: 204 }), 'no_content'],
      ['/json', () => Response.json({ error: 'nope' }), 'bad_content_type'],
      ['/html', () => new Response('<p>', { headers: { 'Content-Type': 'text/html' } }), 'bad_content_type'],
      [
        '/brotli',
        () =>
          new Response('x', { headers: { 'Content-Type': 'text/event-stream', 'Content-Encoding': 'br' } }),
        'bad_encoding',
      ],
      ['/ends', () => new Response('', { headers: { 'Content-Type': 'text/event-stream' } }), 'ended_early'],
    ])(
      '%s is an error with a code, and the stream recovers with the upstream',
      async (path, behave, code) => {
        const feed = new Feed()
        const url = upstream.on(path, (_request, hits) => (hits === 1 ? behave() : feed.response()))
        const { id } = await weir.register({ url, kind: 'sse' })
        const error = await weir.entry(id, 'the error is logged', (entry) => entry.kind === 'error')
        expect(error.data).toMatchObject({ code, failures: 1 })
        await until('it connects again', () => feed.readers > 0)
        feed.send('data: back\n\n')
        await weir.entry(id, 'an event is logged', (entry) => entry.data === 'back')
        await weir.status(id, 'live')
      },
    )

    test('Retry-After applies to every stream of the host', async () => {
      const throttled = startUpstream()
      const url = throttled.on(
        '/throttled',
        () => new Response('', { status: 429, headers: { 'Retry-After': '3000' } }),
      )
      const { id } = await weir.register({ url, kind: 'sse' })
      const error = await weir.entry(id, 'the error is logged', (entry) => entry.kind === 'error')
      const { nextRetryAt } = error.data as { nextRetryAt: string }
      expect(Date.parse(nextRetryAt) - Date.parse(error.at)).toBeGreaterThanOrEqual(3_000_000)
      await weir.status(id, 'backing-off')
      const other = await weir.register({
        url: throttled.on('/other', () => Response.json({})),
        kind: 'poll',
      })
      const elsewhere = await followed('/elsewhere')
      elsewhere.feed.send('data: here\n\n')
      await weir.entry(elsewhere.id, 'another host is followed', (entry) => entry.data === 'here')
      await until('the other stream is held', async () => {
        return (await weir.json<{ run: unknown }>(`/api/streams/${other.id}/status`)).run !== null
      })
      expect(throttled.requests.has('/other')).toBe(false)
      const paused = await until('the other stream says so', async () => {
        const status = await weir.json<{ reason: string; status: string }>(`/api/streams/${other.id}/status`)
        return status.reason.startsWith('Paused') && status
      })
      expect(paused.status).toBe('quiet')
      expect(paused.reason).toMatch(/^Paused for \d+ min: the host asked for it with Retry-After\.$/)
      const feed = await weir.register({
        url: throttled.on('/feed', () => new Feed().response()),
        kind: 'sse',
      })
      const told = await until('an event stream of the host says so, too', async () => {
        const status = await weir.json<{ reason: string; status: string }>(`/api/streams/${feed.id}/status`)
        return status.reason.startsWith('Paused') && status
      })
      expect(told.status).toBe('quiet')
      await throttled.stop()
    })

    test('NUL in an event doesn’t stop the log', async () => {
      const { id, feed } = await followed('/nul')
      feed.send('data: a\0b\n\n')
      feed.send('data: next\n\n')
      await weir.entry(id, 'the next event is logged', (entry) => entry.data === 'next')
      expect((await weir.logs(id)).some((entry) => entry.data === 'a\uFFFDb')).toBe(true)
    })
  })
})
