import { afterAll, beforeAll, expect, test } from 'bun:test'
import { cliOf } from '../cli/support.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const SECRET = 'a-key-that-nobody-may-see'
const SAID = { error: 'The key <b>expired</b> yesterday.', key: SECRET }

let weir: TestWeir
let upstream: Upstream

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir()
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

const refusing = (path: string, type = 'application/json', body = JSON.stringify(SAID)) =>
  upstream.on(path, () => new Response(body, { status: 401, headers: { 'Content-Type': type } }))
const headers = { 'X-Key': SECRET }

test('the API that refuses a registration is quoted, without what it was sent', async () => {
  const answer = await weir.send('POST', '/api/streams', { url: refusing('/refuses'), headers })
  expect(answer.status).toBe(422)
  const { code, detail } = (await answer.json()) as { code: string; detail: string }
  expect(code).toBe('unreachable')
  expect(detail).toStartWith(
    'The upstream returned 401 Unauthorized: {"error":"The key <b>expired</b> yesterday."',
  )
  expect(detail).toContain('To register it anyway, set its kind to ')
  expect(detail).not.toContain(SECRET)
})

test('only the beginning of what it says is quoted, and an empty answer is no quote', async () => {
  const detailOf = async (url: string) => {
    const answer = await weir.send('POST', '/api/streams', { url })
    return ((await answer.json()) as { detail: string }).detail
  }
  const long = await detailOf(refusing('/long', 'text/plain', `no ${'x'.repeat(100_000)}`))
  expect(long).toStartWith('The upstream returned 401 Unauthorized: no xxx')
  expect(long.length).toBeLessThan(500)
  expect(await detailOf(refusing('/empty', 'text/plain', ''))).toStartWith(
    'The upstream returned 401 Unauthorized. To register',
  )
  const page =
    '<!doctype html><html><title>Sign in</title><script>evil()</script><p>First sign in.</p></html>'
  expect(await detailOf(refusing('/page', 'text/html', page))).toContain('Sign in First sign in.')
})

test('forms and the command line show it, escaped', async () => {
  const url = refusing('/form')
  const body = new URLSearchParams({ url })
  const form = await fetch(`${weir.url}/streams`, { method: 'POST', body, headers: { 'HX-Request': 'true' } })
  const html = await form.text()
  expect(html).toContain('The key &lt;b&gt;expired&lt;/b&gt; yesterday.')
  const { code, err } = await cliOf(weir.url)('add', url)
  expect(code).toBe(4)
  expect(err).toContain('The key <b>expired</b> yesterday.')
})

test.each(['application/json', 'text/plain', 'text/event-stream'])(
  'a preview shows what refused it, as %s',
  async (type) => {
    const url = refusing(`/preview/${type}`, type)
    const answer = await weir.send('POST', '/api/streams/preview', { url, headers })
    const { problem, answer: came } = (await answer.json()) as {
      problem: { code: string }
      answer: { sample: { text: string } | null }
    }
    expect(problem.code).toBe('bad_status')
    expect(came.sample?.text).toContain('The key <b>expired</b> yesterday.')
    expect(came.sample?.text).not.toContain(SECRET)
    const body = new URLSearchParams({ url })
    const page = await fetch(`${weir.url}/streams/preview`, { method: 'POST', body })
    expect((await page.text()).replace(/<\/?span[^>]*>/g, '')).toContain(
      'The key &lt;b&gt;expired&lt;/b&gt; yesterday.',
    )
  },
)
