import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Server } from 'bun'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { bypasses, ZONE } from './bypasses.ts'

/** What nobody may reach, on the port of what is allowed, so that only the address tells them apart. */
const FORBIDDEN = '127.0.0.1'
const ALLOWED = '127.0.0.9'
const SECRET = 'what-only-this-machine-may-see'
const REFUSALS = ['not_allowed', 'host_unknown', 'invalid_field', 'unreachable']
const AT_A_TIME = 16

let forbidden: Server<undefined>
let allowed: Server<undefined>
let weir: TestWeir
let seen: string[]
let port: number
let targets: string[]
/** Answers of lookups so far, by host. */
const lookups = new Map<string, number>()

beforeAll(async () => {
  seen = []
  forbidden = Bun.serve({
    ...{ port: 0, hostname: FORBIDDEN, reusePort: false },
    fetch(request) {
      seen.push(`${request.method} ${request.url}`)
      return Response.json({ secret: SECRET })
    },
  })
  port = forbidden.port as number
  targets = bypasses(port)
  allowed = Bun.serve({
    ...{ port, hostname: ALLOWED, reusePort: false },
    fetch(request) {
      const { pathname, searchParams } = new URL(request.url)
      if (pathname !== '/redirect') return Response.json({ host: request.headers.get('host') })
      const location = Buffer.from(searchParams.get('to') ?? '', 'utf8').toString('latin1')
      return new Response(null, {
        status: Number(searchParams.get('status')),
        headers: { Location: location },
      })
    },
  })
  const zone: typeof ZONE = {
    ...ZONE,
    'allowed.test': [[ALLOWED]],
    'named.test': [['169.254.169.254'], ['0.0.0.0'], ['fd00:ec2::254'], ['100.100.100.200']],
    'rebinding.test': [[ALLOWED], [FORBIDDEN]],
    'swinging.test': Array.from({ length: 40 }, (_, index) => [index % 2 === 0 ? ALLOWED : FORBIDDEN]),
    'mixed.test': [[FORBIDDEN, '::1', ALLOWED, '10.0.0.1']],
  }
  weir = await startTestWeir(
    // Others reach it: the rules apply.
    {
      PUBLIC_URL: 'https://weir.example.com',
      ALLOW_HOSTS: `${ALLOWED}/32,named.test`,
      REQUEST_TIMEOUT_MS: '2000',
    },
    {
      lookup: async (host) => {
        const answers = zone[host]
        const at = lookups.get(host) ?? 0
        lookups.set(host, at + 1)
        const answer = answers?.[Math.min(at, answers.length - 1)]
        if (answer === undefined) throw new Error('ENOTFOUND')
        return [...answer]
      },
    },
  )
}, 60_000)
afterAll(async () => {
  await weir.close()
  await Promise.all([forbidden.stop(true), allowed.stop(true)])
})

/** Does something with every target, some at a time, and returns what wasn't refused. */
async function unrefused(ask: (target: string) => Promise<string>): Promise<string[]> {
  const through: string[] = []
  for (let from = 0; from < targets.length; from += AT_A_TIME) {
    const asked = targets.slice(from, from + AT_A_TIME).map(async (target) => {
      const said = await ask(target)
      if (!REFUSALS.includes(said)) through.push(`${JSON.stringify(target)}: ${said}`)
    })
    await Promise.all(asked)
  }
  return through
}

async function codeOf(response: Response): Promise<string> {
  const { code, problem } = (await response.json()) as { code?: string; problem?: { code: string } | null }
  return code ?? problem?.code ?? `${response.status}`
}

test('there are enough bypasses to try', () => {
  expect(new Set(targets).size).toBe(targets.length)
  expect(targets.length).toBeGreaterThan(120)
})

test('none of them can be registered', async () => {
  const through = await unrefused(async (url) => codeOf(await weir.send('POST', '/api/streams', { url })))
  expect(through).toEqual([])
  expect(seen).toEqual([])
})

test('none of them can be previewed', async () => {
  const through: string[] = []
  // Few looks are made at a time.
  for (const url of targets) {
    const said = await codeOf(await weir.send('POST', '/api/streams/preview', { url }))
    if (!REFUSALS.includes(said)) through.push(`${JSON.stringify(url)}: ${said}`)
  }
  expect(through).toEqual([])
  expect(seen).toEqual([])
})

test('no stream can be changed to one of them', async () => {
  const { id } = await weir.register({ url: `http://${ALLOWED}:${port}/a`, kind: 'poll', start: false })
  const through = await unrefused(async (url) => {
    // One that can't be looked up may be there later: it is asked for when it is followed.
    const response = await weir.send('PATCH', `/api/streams/${id}`, { url })
    const { code, url: now } = (await response.json()) as { code?: string; url?: string }
    return code ?? (await codeOf(await weir.send('POST', '/api/streams/preview', { url: now })))
  })
  expect(through).toEqual([])
  expect(seen).toEqual([])
})

test('the proxy follows none of them', async () => {
  const through: string[] = []
  for (const url of targets) {
    const response = await weir.get(`/proxy/${encodeURIComponent(url)}`)
    const reader = response.body?.getReader()
    const { value } = (await reader?.read()) ?? {}
    const said = new TextDecoder().decode(value)
    await reader?.cancel()
    if (said.includes(SECRET) || response.status === 500) through.push(`${url}: ${response.status} ${said}`)
  }
  expect(through).toEqual([])
  expect(seen).toEqual([])
})

test('no channel sends to any of them', async () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const through = await unrefused(async (url) => {
    const channel = { name: crypto.randomUUID(), kind: 'webhook', config: { url, secret } }
    const response = await weir.send('POST', '/api/channels', channel)
    if (response.status !== 201) return codeOf(response)
    // A host that isn't known may be there later: what counts is what is sent.
    const { id } = (await response.json()) as { id: string }
    const tried = await weir.send('POST', `/api/channels/${id}/test`, {})
    return JSON.stringify(await tried.json()).match(/not_allowed|host_unknown/)?.[0] ?? `${tried.status}`
  })
  expect(through).toEqual([])
  expect(seen).toEqual([])
})

test('no mail server at one of them is contacted', async () => {
  const hosts = [...new Set(targets.map((target) => URL.parse(target)?.hostname ?? ''))].filter(Boolean)
  for (const host of hosts.slice(0, 40)) {
    const config = { host, port, security: 'none', from: 'a@a.test', to: ['b@b.test'] }
    const response = await weir.send('POST', '/api/channels', { name: host, kind: 'email', config })
    expect(`${host}: ${await codeOf(response)}`).toBe(`${host}: not_allowed`)
    if (seen.length > 0) break
  }
  expect(seen).toEqual([])
})

test('no redirect leads to one of them', async () => {
  const through: string[] = []
  for (const [index, target] of targets.entries()) {
    const status = [301, 302, 303, 307, 308][index % 5]
    const to = encodeURIComponent(target.replace(/[\t\n]/g, ''))
    const url = `http://allowed.test:${port}/redirect?status=${status}&to=${to}`
    const said = await weir.send('POST', '/api/streams/preview', { url }).then((answer) => answer.text())
    // A target without a scheme of its own leads back to where it came from.
    if (said.includes(SECRET)) through.push(target)
  }
  expect(through).toEqual([])
  expect(seen).toEqual([])
})

test('no service of the topology is requested there, whatever URL it reports', async () => {
  for (const url of targets.filter((target) => /^https?:\/\/[^\\]/.test(target)).slice(0, 60)) {
    const reported = await weir.send('POST', '/api/topology', { services: [{ id: 'spy', url }] })
    if (reported.status >= 400) continue
    const sent = await weir.send('POST', '/topology/requests', { service: 'spy' })
    expect(REFUSALS).toContain(await codeOf(sent))
    const faults = await weir.get('/api/topology/services/spy/faults')
    expect(faults.status).toBeGreaterThanOrEqual(400)
  }
  expect(seen).toEqual([])
})

test('a name that changes its address is connected to where it was checked', async () => {
  for (const host of ['rebinding.test', 'swinging.test']) {
    lookups.delete(host)
    const said = new Set<string>()
    for (let attempt = 0; attempt < 12; attempt++) {
      const response = await weir.send('POST', '/api/streams/preview', { url: `http://${host}:${port}/` })
      said.add(await codeOf(response))
    }
    expect([...said].sort()).toEqual(['200', 'not_allowed'])
  }
  expect(seen).toEqual([])
})

test('of several resolved addresses only the allowed ones are tried', async () => {
  const response = await weir.send('POST', '/api/streams/preview', { url: `http://mixed.test:${port}/` })
  expect(await response.text()).toContain(`mixed.test:${port}`)
  expect(seen).toEqual([])
})

test('a host in ALLOW_HOSTS can’t lead to cloud metadata', async () => {
  for (let answer = 0; answer < 4; answer++) {
    const response = await weir.send('POST', '/api/streams/preview', { url: `http://named.test:${port}/` })
    expect(await codeOf(response)).toBe('not_allowed')
  }
})

test.each(['http://8.8.8.8/', 'http://own.test/'])(
  '%s is this machine by a public address: behind a proxy, others can’t reach it through Weir',
  async (url) => {
    const own = { has: (address: string) => address === '8.8.8.8' }
    const lookup = async () => ['8.8.8.8']
    const fronted = await startTestWeir({ TRUST_PROXY: '127.0.0.1' }, { own, lookup })
    try {
      const refused = await fronted.send('POST', '/api/streams', { url, kind: 'poll' })
      expect([refused.status, await refused.json()]).toMatchObject([
        422,
        { code: 'not_allowed', field: 'url' },
      ])
      expect(
        (await fronted.send('POST', '/api/streams', { url: 'http://127.0.0.1/', kind: 'poll' })).status,
      ).toBe(422)
    } finally {
      await fronted.close()
    }
  },
)
