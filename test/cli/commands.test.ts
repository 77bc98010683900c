import { afterAll, beforeAll, expect, test } from 'bun:test'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { cliOf, jsonLines, MAIN, onTerminal } from './support.ts'

let upstream: Upstream
let weir: TestWeir
let cli: ReturnType<typeof cliOf>

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir()
  cli = cliOf(weir.url)
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

/** A polled API that changes with each poll. */
function counting(path: string): string {
  return upstream.on(path, (_, hits) => Response.json({ hits, text: 'x'.repeat(500) }))
}

test('add registers a stream with its options, and detects the kind with auto', async () => {
  const secrets: (string | null)[] = []
  const url = upstream.on('/added', ({ headers }) => {
    secrets.push(headers.get('x-secret'))
    return Response.json({ hits: 1 })
  })
  const { code, out, err } = await cli(
    ...['add', url, '--name', 'two words', '--kind', 'auto', '--interval', '1m30s', '-t', 'a', '--tag', 'b'],
    ...['-H', 'X-Secret: s:e', '--json-pointer', '/hits', '--no-start', '--json'],
  )
  expect({ code, err }).toEqual({ code: 0, err: '' })
  const stream = JSON.parse(out)
  expect(stream).toMatchObject({
    ...{ url, name: 'two words', kind: 'poll', intervalMs: 90_000, tags: ['a', 'b'] },
    ...{ payloadPointer: '/hits', desired: 'stopped', headers: { 'X-Secret': expect.any(String) } },
  })
  expect(out).not.toContain('s:e')
  expect(secrets).toEqual(['s:e'])
  expect(await weir.json(`/api/streams/${stream.id}`)).toMatchObject({ id: stream.id, intervalMs: 90_000 })
})

test.each([
  [['--body', '{"query":"{ a }"}'], { method: 'POST', body: '{"query":"{ a }"}' }],
  [['-X', 'PUT', '-d', 'a=1'], { method: 'PUT', body: 'a=1' }],
  [['--method', 'POST'], { method: 'POST', body: '' }],
])('add %j makes exactly this request', async (args, expected) => {
  const asked: unknown[] = []
  const url = upstream.on(`/asked/${expected.method}${expected.body.length}`, async (request) => {
    asked.push({ method: request.method, body: await request.text(), type: request.headers.get('x-type') })
    return Response.json({ asked: asked.length })
  })
  const { code, out, err } = await cli('add', url, '-H', 'X-Type: query', ...args, '--json')
  expect({ code, err }).toEqual({ code: 0, err: '' })
  const { id, kind, method, body } = JSON.parse(out)
  expect({ kind, method, body: body ?? '' }).toEqual({ kind: 'poll', ...expected })
  await weir.entry(id, 'it was polled', ({ kind }) => kind === 'snapshot')
  expect(asked.length).toBeGreaterThan(1)
  expect(new Set(asked.map((each) => JSON.stringify(each)))).toEqual(
    new Set([JSON.stringify({ ...expected, type: 'query' })]),
  )
})

test('add reports the result and starts the stream; --twin adds a second one', async () => {
  const { code, out } = await cli('add', counting('/twin'), '--name', 'twinned', '--kind', 'poll', '--twin')
  expect(code).toBe(0)
  expect(out).toMatch(/^Added "twinned" \(poll\), ID [0-9a-f-]{36}, started\.\n$/)
  const { items } = await weir.json<{ items: { twinOf: string | null }[] }>('/api/streams?q=twin')
  expect(items.filter(({ twinOf }) => twinOf !== null)).toHaveLength(1)
})

test('status and logs say in words whether an upstream resumes, and what a gap is', async () => {
  const feed = new Feed()
  const url = upstream.on('/breaks', () => feed.response({}, 'retry: 10\n\n'))
  const [id] = (await cli('add', url, '--name', 'breaks', '--kind', 'sse', '--json')).out.match(
    /[0-9a-f-]{36}/,
  ) ?? ['']
  const broken = async (eventId: string, connections: number) => {
    await until('it connects', () => upstream.requests.get('/breaks')?.[connections - 1])
    await until('the feed has a reader', () => feed.readers > 0)
    feed.send(`id: ${eventId}\ndata: ${eventId}\n\n`)
    await weir.entry(id, 'the event is logged', (entry) => entry.data === eventId)
  }
  await broken('aa', 1)
  expect((await cli('status', 'breaks')).out).not.toContain('resumes')
  feed.end()
  await broken('bb', 2)
  expect((await cli('status', 'breaks')).out).toMatch(/^ {2}resumes {9}unknown, 1 break left a gap$/m)
  const gap = await cli('logs', 'breaks', '--kind', 'gap')
  expect(gap.out).toMatch(
    / Events may be missing from .* UTC: the connection broke, and the upstream didn't show that it sent all of them\.$/m,
  )
  const [data] = jsonLines<{ data: object }>((await cli('logs', 'breaks', '--kind', 'gap', '--json')).out)
  expect(data?.data).toMatchObject({ reason: 'resume_unproven' })
  await cli('edit', 'breaks', '--resumes')
  await broken('cc', 3)
  expect((await cli('status', 'breaks')).out).toMatch(/^ {2}resumes {9}declared by you, trusted once$/m)
})

test('status and logs say what the upstream answered to a failed poll', async () => {
  const url = upstream.on('/keyless', () => Response.json({ error: 'no key' }, { status: 401 }))
  const [id] = (await cli('add', url, '--name', 'keyless', '--kind', 'poll', '--json')).out.match(
    /[0-9a-f-]{36}/,
  ) ?? ['']
  await weir.entry(id, 'the poll fails', ({ kind }) => kind === 'error')
  const said = 'The upstream returned 401 Unauthorized: {"error":"no key"}'
  expect((await cli('logs', 'keyless', '--kind', 'error')).out).toContain(said)
  expect((await cli('status', 'keyless')).out).toContain(said)
})

test('add --resumes declares that the upstream resumes', async () => {
  const { out } = await cli(
    'add',
    'http://127.0.0.1:9/events',
    '--kind',
    'sse',
    '--resumes',
    '--no-start',
    '--json',
  )
  expect(JSON.parse(out)).toMatchObject({ kind: 'sse', resumes: true })
})

test('start and stop take names and IDs, each once, and do nothing if one is unknown', async () => {
  const { id } = await weir.register({ url: counting('/desire'), name: 'on and off', kind: 'poll' })
  const desired = async () => (await weir.json<{ desired: string }>(`/api/streams/${id}`)).desired
  const stopped = await cli('stop', 'on and off', id)
  expect(stopped).toEqual({ code: 0, out: 'Stopped "on and off".\n', err: '' })
  expect(await desired()).toBe('stopped')
  const started = await cli('start', id, '--json')
  expect(jsonLines(started.out)).toMatchObject([{ id, desired: 'running' }])
  expect(await desired()).toBe('running')
  const refused = await cli('stop', id, 'no such name')
  expect(refused).toEqual({ code: 5, out: '', err: 'weir: Stream "no such name" not found. (not_found)\n' })
  expect(await desired()).toBe('running')
})

test('start and stop by tag, or all, report how many changed', async () => {
  const tagged = { kind: 'poll', tags: ['herd'], start: false }
  for (const path of ['/h1', '/h2']) await weir.register({ url: counting(path), ...tagged })
  expect((await cli('start', '--tag', 'herd')).out).toBe('Started 2 of 2 streams.\n')
  expect(JSON.parse((await cli('start', '--tag', 'herd', '--json')).out)).toEqual({ matched: 2, changed: 0 })
  const all = JSON.parse((await cli('stop', '--all', '--json')).out)
  expect(all.matched).toBeGreaterThanOrEqual(all.changed)
  await until('all are stopped', async () => {
    const { statuses, streams } = JSON.parse((await cli('status', '--json')).out)
    return statuses.stopped === streams
  })
})

test('ls lists more streams than one page holds, and filters', async () => {
  const lines = Array.from({ length: 1_203 }, (_, index) => ({
    ...{ url: `http://bulk.test/${index}`, kind: 'poll', start: false, tags: index < 5 ? ['few'] : ['many'] },
  }))
  const imported = await weir.send('POST', '/api/streams/import', lines)
  expect(imported.status).toBe(200)
  const many = jsonLines<{ id: string; url: string }>((await cli('ls', '--tag', 'many', '--json')).out)
  expect(new Set(many.map(({ id }) => id)).size).toBe(1_198)
  expect(many.every(({ url }) => url.startsWith('http://bulk.test/'))).toBe(true)
  const count = async (...filters: string[]) => jsonLines((await cli('ls', '--json', ...filters)).out).length
  expect(await count('--tag', 'few')).toBe(5)
  expect(await count('--host', 'bulk.test', '--limit', '700')).toBe(700)
  expect(await count('--host', 'bulk')).toBe(0)
  expect(await count('--q', 'bulk.test/777')).toBe(1)
  expect(await count('--status', 'stopped', '--tag', 'few')).toBe(5)
  expect(await count('--status', 'dead')).toBe(0)
})

test('a closed pipe ends the program quietly', async () => {
  const shell = Bun.spawn(
    ['bash', '-c', 'set -o pipefail; "$0" "$1" ls --json | head -n 1', process.execPath, MAIN],
    { env: { ...process.env, WEIR_URL: weir.url }, stdout: 'pipe', stderr: 'pipe' },
  )
  const [out, err] = await Promise.all([new Response(shell.stdout).text(), new Response(shell.stderr).text()])
  expect({ lines: out.trim().split('\n').length, err, code: await shell.exited }).toEqual({
    lines: 1,
    err: '',
    code: 0,
  })
})

test('a table fits the terminal, and isn’t cut in a pipe', async () => {
  const name = `wide ${'漢字'.repeat(30)}`
  await weir.register({ url: counting(`/${'long/'.repeat(30)}`), name, kind: 'poll', tags: ['wide'] })
  for (const columns of [40, 80, 200]) {
    const { out } = await onTerminal(['ls', '--tag', 'wide'], { url: weir.url, columns, colors: false })
    expect(
      out
        .split('\n')
        .map((line) => Bun.stringWidth(line))
        .filter((width) => width > columns),
    ).toEqual([])
    expect(out).toContain(columns === 40 ? 'wide …' : 'wide 漢')
    expect(out).toContain('…')
  }
  const piped = await cli('ls', '--tag', 'wide')
  expect(piped.out).toContain(name)
  expect(piped.out).toContain('long/'.repeat(30))
})

test('statuses are words, and colored only in a terminal', async () => {
  const { id } = await weir.register({
    url: counting('/paint'),
    name: 'painted',
    kind: 'poll',
    tags: ['paint'],
  })
  await weir.status(id, 'live')
  const args = ['ls', '--tag', 'paint']
  const plain = await onTerminal(args, { url: weir.url, columns: 200, colors: false })
  const painted = await onTerminal(args, { url: weir.url, columns: 200 })
  expect(plain.out).toMatch(/^live /m)
  expect(painted.out).toContain('\u001b[32mlive\u001b[39m')
  expect(Bun.stripANSI(painted.out).split('\n')[1]?.slice(0, 8)).toBe('live    ')
  expect((await cli(...args)).out).not.toContain('\u001b')
})

test('savings of a stream, of a tag and of all, in words and as JSON', async () => {
  const { id } = await weir.register({
    url: counting('/save'),
    name: 'saved',
    kind: 'poll',
    intervalMs: 500,
    tags: ['s'],
  })
  await weir.entry(id, 'third poll', ({ seq }) => seq > 2)
  const saved = async (...args: string[]) => JSON.parse((await cli('savings', '--json', ...args)).out)
  await until('polls are summed up', async () => (await saved('saved')).polls > 0)
  expect(
    (await saved('saved', '--since', '1h', '--subscribers', '7')).serverBandwidthSavings.subscribers,
  ).toBe(7)
  expect((await saved('--tag', 's')).polls).toBeGreaterThan(0)
  expect((await saved()).polls).toBeGreaterThan(0)
  expect((await saved('--tag', 'nothing')).reason).toContain('No poll')
  const { out } = await cli('savings', id)
  expect(out).toMatch(/uncompressed polling +[\d.]+ k?B +[\d.]+ k?B +-?[\d.]+%/)
  expect((await cli('savings', '--tag', 'nothing')).out).toBe('No poll was answered in this period.\n')
})

test('change says how often a stream changes, and cache what caches could do, in words and as JSON', async () => {
  const url = upstream.on('/changes', (_, hits) =>
    Response.json({ hits }, { headers: { 'cache-control': 'max-age=60', etag: `"${hits}"` } }),
  )
  const { id } = await weir.register({ url, name: 'changing', kind: 'poll', intervalMs: 500 })
  const found = async (command: string) => JSON.parse((await cli(command, '--json', 'changing')).out)
  await until('polls are summed up', async () => (await found('cache')).fresh > 1)
  expect(await found('change')).toMatchObject({
    frequency: { perHour: null, high: null },
    suggestedIntervalMs: null,
  })
  expect((await cli('change', id)).out).toMatch(
    /^frequency +at least every [\d.]+ m?s: nearly every poll found a change\n/,
  )
  expect(await found('cache')).toMatchObject({ headers: { lifetimeMs: 60_000 }, validators: 'unknown' })
  const { out } = await cli('cache', id, '--since', '1h')
  expect(out).toMatch(/^cacheable +\d+% of \d+ polls; 100% of those had changed\n/)
  expect(out).toMatch(/\ncache-control +max-age\n/)
})

test('notify sends to the responsible channels, and says if there are none', async () => {
  const { id } = await weir.register({ url: counting('/tell'), name: 'told', kind: 'poll', tags: ['ops'] })
  const nobody = await cli('notify', id, 'hello')
  expect(nobody.code).toBe(4)
  expect(nobody.err).toMatch(/^weir: No channel is responsible for told\. .* \(conflict\)\n$/)
  const hook = upstream.on('/hook', () => new Response(null, { status: 204 }))
  const config = { url: hook, secret: `whsec_${Buffer.alloc(32, 7).toString('base64')}` }
  const channel = await weir.send('POST', '/api/channels', {
    kind: 'webhook',
    name: 'hook',
    tags: ['ops'],
    config,
  })
  expect(channel.status).toBe(201)
  expect(await cli('notify', 'told', 'hello')).toEqual({ code: 0, out: 'Sent to hook (webhook).\n', err: '' })
  expect(JSON.parse((await cli('notify', id, 'again', '--json')).out).channels).toMatchObject([
    { name: 'hook' },
  ])
  await until('the channel was told', () => (upstream.requests.get('/hook')?.length ?? 0) >= 2)
})

test('rm asks for confirmation unless --yes is given', async () => {
  const { id } = await weir.register({ url: counting('/gone'), name: 'doomed', kind: 'poll', start: false })
  const there = async () => (await weir.get(`/api/streams/${id}`)).status === 200
  const unasked = await cli('rm', 'doomed')
  expect(unasked).toMatchObject({ code: 2, out: '' })
  expect(unasked.err).toContain('--yes')
  const asked: string[] = []
  const ask = async (question: string) => {
    asked.push(question)
    return false
  }
  expect((await onTerminal(['rm', 'doomed'], { url: weir.url, ask })).code).toBe(130)
  expect(asked).toEqual(['Remove "doomed" and all recorded data?'])
  expect(await there()).toBe(true)
  expect(await cli('rm', 'doomed', '--yes')).toEqual({ code: 0, out: 'Removed "doomed".\n', err: '' })
  expect(await there()).toBe(false)
})

test('topology declares what a file holds, shows it, and withdraws it', async () => {
  const sample = await Bun.file('ops/sample.mmd').text()
  expect(await cli('topology', 'show')).toMatchObject({ code: 5, out: '' })
  expect(await cli('topology', 'apply', 'ops/sample.mmd')).toEqual({
    ...{ code: 0, err: '' },
    out: 'Declared 8 services and 7 calls.\n',
  })
  expect((await cli('topology', 'show')).out).toBe(sample)
  expect(JSON.parse((await cli('topology', 'show', '--json')).out)).toMatchObject({ calls: { length: 7 } })
  expect((await weir.json<{ diagram: string }>('/diagram')).diagram).toContain('V --> TM')
  expect(await cli('topology', 'withdraw')).toMatchObject({ code: 0, err: '' })
  expect((await weir.json<{ diagram: string }>('/diagram')).diagram).toBe('flowchart LR')
  expect(await cli('topology', 'apply', 'ops/none.mmd')).toMatchObject({ code: 4, out: '' })
  for (const args of [[], ['apply'], ['show', 'x'], ['drop']])
    expect(await cli('topology', ...args)).toMatchObject({ code: 2, out: '' })
})

test('import reads a file of another program by its content, after a dry run', async () => {
  const url = counting('/imported')
  const file = join(tmpdir(), `weir-import-${process.pid}.txt`)
  const backup = {
    monitorList: [
      { type: 'http', name: 'from kuma', url, method: 'GET', interval: 60, active: false },
      { type: 'ping', name: 'a ping', url: 'https://' },
    ],
  }
  await Bun.write(file, JSON.stringify(backup))
  const plan = await cli('import', file, '--dry-run')
  expect(plan.err).toBe('')
  expect(plan.out).toMatch(/created +from kuma/)
  expect(plan.out).toMatch(/skipped +a ping +A monitor of type ping requests no URL/)
  expect(plan.out).toContain('Would create 1, update 0. 0 unchanged, 1 skipped, 0 failed.')
  const { code, out } = await cli('import', file, '--tag', 'kuma', '--json')
  expect(code).toBe(0)
  expect(JSON.parse(out).totals).toMatchObject({ created: 1, skipped: 1 })
  const [stream] = jsonLines<Record<string, unknown>>((await cli('ls', '--tag', 'kuma', '--json')).out)
  expect(stream).toMatchObject({ name: 'from kuma', status: 'stopped' })
  expect((await cli('import', '/nowhere/at/all.json')).code).not.toBe(0)
  await rm(file)
})
