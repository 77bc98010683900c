import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { Bucket } from '../../src/archive/bucket.ts'
import { tryBucket } from '../../src/archive/try-bucket.ts'
import { isPublicAddress, normalHost } from '../../src/net/addresses.ts'
import { Egress, type EgressDeps, type EgressFetch } from '../../src/net/egress.ts'
import { OwnAddresses } from '../../src/net/own-addresses.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

const NAMES: Record<string, string[]> = {
  'public.test': ['203.0.113.9', '93.184.215.14'],
  'private.test': ['10.0.0.5'],
  'mixed.test': ['192.168.1.1', '93.184.215.14'],
  'local.test': ['127.0.0.1'],
  'metadata.test': ['169.254.169.254'],
}

function egress(allowHosts: string[] = [], options: Partial<EgressDeps> = {}) {
  const lookup = async (host: string) => {
    const found = NAMES[host]
    if (found === undefined) throw new Error('ENOTFOUND')
    return found
  }
  return new Egress({ allowHosts, isOpen: false, lookup, ...options })
}

test.each([
  ['8.8.8.8', true],
  ['2606:4700::1111', true],
  ['::ffff:8.8.8.8', true],
  ['64:ff9b::808:808', true],
  ['127.0.0.1', false],
  ['127.255.255.254', false],
  ['0.0.0.0', false],
  ['10.0.0.1', false],
  ['172.16.0.1', false],
  ['172.31.255.255', false],
  ['192.168.0.1', false],
  ['100.64.0.1', false],
  ['169.254.169.254', false],
  ['168.63.129.16', false],
  ['198.18.0.1', false],
  ['224.0.0.1', false],
  ['240.0.0.1', false],
  ['255.255.255.255', false],
  ['::', false],
  ['::1', false],
  ['::2', false],
  ['::127.0.0.1', false],
  ['::ffff:10.0.0.1', false],
  ['::ffff:a9fe:a9fe', false],
  ['64:ff9b::7f00:1', false],
  ['64:ff9b:1::808:808', false],
  ['2002:7f00:1::', false],
  ['fe80::1', false],
  ['fe80::1%eth0', false],
  ['fd00:ec2::254', false],
  ['ff02::1', false],
  ['not an address', false],
])('%s is public: %p', (address, isPublic) => {
  expect(isPublicAddress(address)).toBe(isPublic)
})

test.each([
  ['0x7f.1', '127.0.0.1'],
  ['017700000001', '127.0.0.1'],
  ['2130706433', '127.0.0.1'],
  ['127.1', '127.0.0.1'],
  ['[::1]', '::1'],
  ['EXAMPLE.test', 'example.test'],
  ['a/b', undefined],
  ['user@host', undefined],
  ['host:25', undefined],
  ['', undefined],
])('%s is the host %p', (text, host) => {
  expect(normalHost(text)).toBe(host as string)
})

test.each([
  'http://127.0.0.1/',
  'http://2130706433/',
  'http://0x7f000001/',
  'http://0177.0.0.1/',
  'http://[::1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://169.254.169.254/latest/meta-data',
  'http://private.test/',
  'http://local.test/',
  'ftp://public.test/',
  'file:///etc/passwd',
  'http://user:password@public.test/',
  'http://user@public.test/',
  'http://:password@public.test/',
])('%s is not allowed', async (url) => {
  await expect(egress().check(url)).rejects.toMatchObject({ code: 'not_allowed' })
})

test('an unknown host and a forbidden one have different errors', async () => {
  await expect(egress().check('http://nowhere.test/')).rejects.toMatchObject({ code: 'host_unknown' })
})

test('only the allowed addresses of a host are used', async () => {
  expect(await egress().resolve('mixed.test', 80)).toEqual(['93.184.215.14'])
})

test.each([
  [['private.test'], 'http://private.test:9000/', true],
  [['private.test:8080'], 'http://private.test:8080/', true],
  [['private.test:8080'], 'http://private.test/', false],
  [['private.test:80'], 'http://private.test/', true],
  [['private.test:80'], 'http://private.test:8080/', false],
  [['10.0.0.0/8'], 'http://private.test/', true],
  [['10.0.0.0/8'], 'http://local.test/', false],
  [['10.0.0.5'], 'http://private.test/', true],
  [['fd00::/8'], 'http://[fd00::1]/', true],
  [['[::1]:8080'], 'http://[::1]:8080/', true],
  [['::1'], 'http://[::1]:9090/', true],
])('ALLOW_HOSTS %j and %s: %p', async (allowHosts, url, isAllowed) => {
  const checked = await egress(allowHosts)
    .check(url)
    .then(
      () => true,
      () => false,
    )
  expect(checked).toBe(isAllowed)
})

test('an extra destination is open only to the part it was given to', async () => {
  const all = egress()
  const archive = all.allowing('http://private.test:9000')
  await archive.check('http://private.test:9000/bucket')
  for (const [way, url] of [
    [all, 'http://private.test:9000/bucket'],
    [archive, 'http://private.test:9001/bucket'],
    [all.allowing('http://metadata.test:9000'), 'http://metadata.test:9000/bucket'],
  ] as const) {
    await expect(way.check(url)).rejects.toMatchObject({ code: 'not_allowed' })
  }
})

test('an S3 endpoint at a forbidden address says so before anything is sent', async () => {
  const endpoint = 'http://metadata.test:9000'
  const way = egress().allowing(endpoint)
  const keys = { bucket: 'weir', region: 'any', accessKeyId: 'a', secretAccessKey: 'b', prefix: 'weir' }
  const bucket = new Bucket({ endpoint, ...keys }, { fetch: way.fetch })
  const { signal } = new AbortController()
  const [step] = await tryBucket(bucket, signal, Date.now)
  expect(step).toMatchObject({ isOk: false, error: { code: 'not_allowed' } })
  const large = async function* () {
    for (let part = 0; part < 9; part++) yield new Uint8Array(1_048_576)
  }
  await expect(bucket.write('large', large(), signal)).rejects.toMatchObject({ code: 'not_allowed' })
})

describe('through a proxy', () => {
  const proxies = {
    http: 'http://proxy.test:3128',
    https: 'http://proxy.test:3128',
    bypass: ['.direct.test'],
  }
  const asked: [url: string, proxy: string | undefined][] = []
  const fetch: EgressFetch = async (url, { proxy }) => {
    asked.push([url, proxy])
    return new Response('')
  }
  beforeEach(() => void asked.splice(0))

  test('a host is requested by name, which the proxy resolves', async () => {
    await egress([], { proxies, fetch }).fetch('https://public.test/a', {})
    expect(asked).toEqual([['https://public.test/a', 'http://proxy.test:3128']])
  })

  test.each(['http://private.test/', 'http://metadata.test/', 'http://10.0.0.5/', 'http://169.254.169.254/'])(
    '%s is refused as without a proxy',
    async (url) => {
      const way = egress([], { proxies, fetch })
      await expect(way.fetch(url, {})).rejects.toMatchObject({ code: 'not_allowed' })
      await expect(way.check(url)).rejects.toMatchObject({ code: 'not_allowed' })
      expect(asked).toEqual([])
    },
  )

  test('a host that only the proxy can resolve must be in ALLOW_HOSTS', async () => {
    const url = 'http://only-there.test:8080/'
    const unnamed = egress(['only-there.test:80'], { proxies, fetch }).fetch(url, {})
    await expect(unnamed).rejects.toMatchObject({
      code: 'host_unknown',
      message: expect.stringMatching(/ALLOW_HOSTS/),
    })
    await egress(['only-there.test'], { proxies, fetch }).fetch(url, {})
    await egress([], { isOpen: true, proxies, fetch }).fetch(url, {})
    expect(asked.map(([, proxy]) => proxy)).toEqual([proxies.http, proxies.http])
  })

  test('operator-only destinations and loopback are connected to directly', async () => {
    const way = egress([], { isOpen: true, proxies, fetch })
    await way.allowing('http://s3.test:9000').fetch('http://s3.test:9000/bucket', {})
    await way.fetch('http://localhost:3000/proxy/x', {})
    await way.fetch('http://a.direct.test/', {})
    expect(asked.map(([, proxy]) => proxy)).toEqual([undefined, undefined, undefined])
  })

  test('an unreachable proxy is named in the error', async () => {
    const away = { http: 'http://user:hush-hush@127.0.0.1:1', bypass: [] }
    const asking = egress([], { isOpen: true, proxies: away }).fetch('http://only-there.test/', {})
    const error = (await asking.catch((reason: unknown) => reason)) as { code: string }
    expect(error.code).toMatch(/^\w+, through the proxy 127\.0\.0\.1:1$/)
  })
})

describe('this machine itself', () => {
  const own = new OwnAddresses({ read: () => [{ address: '93.184.215.14', cidr: '93.184.215.14/24' }] })

  test.each([
    'http://93.184.215.14/',
    'http://93.184.215.200:9200/',
    'http://[::ffff:93.184.215.14]/',
    'http://public.test/',
  ])('%s is refused, though its address is public', async (url) => {
    await egress().check('http://8.8.8.8/')
    await expect(egress([], { own }).check(url)).rejects.toMatchObject({ code: 'not_allowed' })
  })

  test('is reachable if the operator allows it, or for local requests only', async () => {
    await egress(['93.184.215.14:443'], { own }).check('https://93.184.215.14/')
    await egress(['public.test'], { own }).check('http://public.test/')
    await egress([], { own, isOpen: true }).check('http://93.184.215.14/')
    await egress([], { own }).allowing('http://public.test:9000').check('http://public.test:9000/bucket')
  })
})

test('a Weir that only its own machine can reach connects anywhere', async () => {
  await egress([], { isOpen: true }).check('http://private.test/')
})

describe('a request', () => {
  let upstream: Upstream
  beforeAll(() => {
    upstream = startUpstream()
  })
  afterAll(() => upstream.stop())

  test('goes to the checked address, under the requested name', async () => {
    upstream.on('/here', (request) => Response.json({ host: request.headers.get('host') }))
    const { port } = new URL(upstream.url)
    const { fetch } = egress(['127.0.0.0/8'])
    const response = await fetch(`http://local.test:${port}/here`, {})
    expect(await response.json()).toEqual({ host: `local.test:${port}` })
  })

  test('doesn’t follow redirects', async () => {
    const url = upstream.on('/away', () => Response.redirect('http://169.254.169.254/', 302))
    const response = await egress(['127.0.0.1']).fetch(url, { redirect: 'follow' })
    expect(response.status).toBe(302)
  })

  test('resolves once: a name that changes afterward has no effect', async () => {
    let lookups = 0
    const asked: string[] = []
    const rebinding = new Egress({
      allowHosts: [],
      isOpen: false,
      lookup: async () => (++lookups === 1 ? ['93.184.215.14'] : ['127.0.0.1']),
      fetch: async (url) => {
        asked.push(url)
        return new Response('')
      },
    })
    await rebinding.fetch('https://rebinding.test/path?a=1', {})
    expect(asked).toEqual(['https://93.184.215.14/path?a=1'])
    expect(lookups).toBe(1)
  })

  test('isn’t sent to a forbidden address', async () => {
    let isAsked = false
    const fetch = async () => {
      isAsked = true
      return new Response('')
    }
    await expect(egress([], { fetch }).fetch('http://local.test/', {})).rejects.toMatchObject({
      code: 'not_allowed',
    })
    expect(isAsked).toBe(false)
  })

  test('tries the next address if the first refuses the connection', async () => {
    const asked: string[] = []
    const fetch: EgressFetch = async (url) => {
      asked.push(new URL(url).hostname)
      if (asked.length === 1) throw Object.assign(new Error('refused'), { code: 'ConnectionRefused' })
      return new Response('')
    }
    await egress(['203.0.113.0/24'], { fetch }).fetch('http://public.test/', {})
    expect(asked).toEqual(['203.0.113.9', '93.184.215.14'])
  })

  test('verifies the certificate by name, not by address', async () => {
    const options: unknown[] = []
    const fetch: EgressFetch = async (_url, init) => {
      options.push(init)
      return new Response('')
    }
    await egress([], { fetch }).fetch('https://public.test/', { headers: { A: 'b' } })
    expect(options[0]).toMatchObject({ tls: { serverName: 'public.test' }, keepalive: false })
    expect(new Headers((options[0] as RequestInit).headers).get('host')).toBe('public.test')
  })
})
