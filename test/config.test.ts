import { expect, test } from 'bun:test'
import { resolve } from 'node:path'
import { ConfigError, parseConfig } from '../src/config/config.ts'
import { exampleEnvironment, secretsOf, settingsInForce } from '../src/config/in-force.ts'
import { isLocalOnly } from '../src/config/local-only.ts'
import type { Config } from '../src/config/settings.ts'
import { DEGRADED_CHECKS, DEGRADED_SHARE, DEGRADED_WINDOW_MS } from '../src/core/judging/checks.ts'
import { DEAD_AFTER_FAILURES, DEAD_AFTER_MS } from '../src/core/judging/status.ts'

const TOKEN = 'sixteen-letters!'

const DEFAULTS: Partial<Config> = {
  role: 'all',
  port: 3000,
  host: '127.0.0.1',
  dataDir: resolve('./data'),
  streamsPerWorker: 10_000,
  requestTimeoutMs: 30_000,
  maxBodyBytes: 10_485_760,
  silenceMs: 45_000,
  deadAfterFailures: DEAD_AFTER_FAILURES,
  deadAfterMs: DEAD_AFTER_MS,
  degradedShare: DEGRADED_SHARE,
  degradedWindowMs: DEGRADED_WINDOW_MS,
  degradedChecks: DEGRADED_CHECKS,
}

/** What is said of an environment, a line per key. */
function problems(environment: Record<string, string>): readonly string[] {
  try {
    parseConfig(environment)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as ConfigError).problems
  }
  return []
}

test('without settings, everything required has a default', () => {
  expect(parseConfig({})).toMatchObject(DEFAULTS)
})

test('optional features are off by default', () => {
  const { databaseUrl, redisUrl, token } = parseConfig({})
  expect([databaseUrl, redisUrl, token]).toEqual([undefined, undefined, undefined])
})

test.each<[string, string, Partial<Config>]>([
  ['PORT', '0', { port: 0 }],
  ['PORT', ' 65535 ', { port: 65_535 }],
  ['HOST', '::1', { host: '::1' }],
  ['HOST', 'localhost', { host: 'localhost' }],
  ['DATA_DIR', '/srv/weir', { dataDir: '/srv/weir' }],
  ['DATA_DIR', 'here', { dataDir: resolve('here') }],
  ['TOPOLOGY', 'ops/sample.mmd', { topology: resolve('ops/sample.mmd') }],
  ['DATABASE_URL', 'postgres://u:p@h/d', { databaseUrl: 'postgres://u:p@h/d' }],
  ['DATABASE_URL', 'postgresql://h/d?sslmode=require', { databaseUrl: 'postgresql://h/d?sslmode=require' }],
  ['REDIS_URL', 'redis://h:6379', { redisUrl: 'redis://h:6379' }],
  ['REDIS_URL', 'rediss://h', { redisUrl: 'rediss://h' }],
  ['WEIR_TOKEN', TOKEN, { token: TOKEN }],
  ['ROLE', 'all', { role: 'all' }],
  ['ALLOW_HOSTS', 'a.test, b:80,10.0.0.0/8,::1', { allowHosts: ['a.test', 'b:80', '10.0.0.0/8', '::1'] }],
  ['S3_PREFIX', '/a/b=c/', { s3Prefix: 'a/b=c' }],
  ['SILENCE_MS', '1000', { silenceMs: 1_000 }],
  ['MAX_BODY_BYTES', '268435456', { maxBodyBytes: 268_435_456 }],
])('%s=%s is accepted', (key, text, expected) => {
  expect(parseConfig({ [key]: text })).toMatchObject(expected)
})

test.each<[string, string, string]>([
  ['PORT', '0x', 'expected a whole number from 0 to 65535, got "0x"'],
  ['PORT', '70000', 'expected a whole number from 0 to 65535, got "70000"'],
  ['PORT', '-1', 'expected a whole number from 0 to 65535, got "-1"'],
  ['PORT', '1e3', 'expected a whole number from 0 to 65535, got "1e3"'],
  ['PORT', '80.5', 'expected a whole number from 0 to 65535, got "80.5"'],
  ['SILENCE_MS', '45s', 'expected a whole number from 1000 to 86400000, got "45s"'],
  ['REQUEST_TIMEOUT_MS', '99', 'expected a whole number from 100 to 600000, got "99"'],
  ['STREAMS_PER_WORKER', '0', 'expected a whole number from 1 to 100000, got "0"'],
  ['MAX_BODY_BYTES', '10 MB', 'expected a whole number from 1024 to 268435456, got "10 MB"'],
  ['DATABASE_URL', 'mysql://u:p@h/d', 'expected a URL starting with postgres:// or postgresql://'],
  ['DATABASE_URL', 'localhost', 'expected a URL starting with postgres:// or postgresql://'],
  ['REDIS_URL', 'http://h', 'expected a URL starting with redis:// or rediss://'],
  ['ROLE', 'Web', 'expected all or web or worker, got "Web"'],
  ['ALLOW_HOSTS', 'a.test,http://b', 'expected hosts such as hooks.internal or 10.0.0.0/8, got "http://b"'],
  ['ALLOW_HOSTS', '10.0.0.0/33', 'expected hosts such as hooks.internal or 10.0.0.0/8, got "10.0.0.0/33"'],
  ['S3_PREFIX', 'a/../b', 'expected letters, digits, . _ = - and single slashes, got "a/../b"'],
  ['S3_PREFIX', 'a b', 'expected letters, digits, . _ = - and single slashes, got "a b"'],
  ['WEIR_TOKEN', 'fifteen-letters', 'expected at least 16 characters'],
])('%s=%s is rejected with a message', (key, text, expected) => {
  expect(problems({ [key]: text })).toEqual([`${key}: ${expected}`])
})

test.each(['0.0.0.0', '::', '192.168.1.2', 'weir.example.com', 'localhost.example.com'])(
  'HOST=%s requires a token',
  (host) => {
    expect(problems({ HOST: host })).toEqual([expect.stringMatching(/^HOST: .*set WEIR_TOKEN, or/)])
    expect(parseConfig({ HOST: host, WEIR_TOKEN: TOKEN })).toMatchObject({ host, token: TOKEN })
  },
)

test.each(['web', 'worker'] as const)('ROLE=%s shares a database with others, so it needs one', (role) => {
  expect(problems({ ROLE: role })).toEqual([expect.stringMatching(/^ROLE: .*set DATABASE_URL/)])
  expect(parseConfig({ ROLE: role, DATABASE_URL: 'postgres://h/d' })).toMatchObject({ role })
  expect(problems({ ROLE: role, DATABASE_URL: 'mysql://h/d' })).toEqual([
    expect.stringMatching(/^DATABASE_URL: /),
  ])
})

test.each<[Partial<Config> & Pick<Config, 'host' | 'role' | 'token'>, boolean]>([
  [{ host: '127.0.0.1', role: 'all', token: undefined }, true],
  [{ host: '127.0.0.1', role: 'all', token: undefined, publicUrl: 'http://[::1]:3000/' }, true],
  [{ host: '127.0.0.1', role: 'all', token: TOKEN, publicUrl: 'https://weir.example.com' }, false],
  [{ host: '::1', role: 'web', token: TOKEN }, true],
  [{ host: '127.0.0.1', role: 'worker', token: undefined }, true],
  [{ host: '127.0.0.1', role: 'worker', token: TOKEN }, false],
  [{ host: '0.0.0.0', role: 'all', token: TOKEN }, false],
  // Something in front of it names clients, so there are some.
  [{ host: '127.0.0.1', role: 'all', token: undefined, trustProxy: ['127.0.0.1'] }, false],
  [{ host: '127.0.0.1', role: 'all', token: undefined, trustProxy: [] }, true],
  // A page of another site, in a browser on this machine, says where to go and reads what is there.
  [{ host: '127.0.0.1', role: 'all', token: undefined, proxyOrigins: ['https://app.example.com'] }, false],
  [{ host: '127.0.0.1', role: 'all', token: undefined, proxyOrigins: ['http://localhost:5173'] }, true],
])('%j takes requests from this machine only: %p', (config, expected) => {
  expect(isLocalOnly({ publicUrl: undefined, ...config })).toBe(expected)
})

test('all errors are reported at once', () => {
  const found = problems({
    PORT: '0x',
    HOST: '0.0.0.0',
    REDIS_URL: 'http://h',
    SILENCE_MS: 'long',
    ROLE: 'web',
  })
  const keys = found.map((problem) => problem.split(':')[0])
  expect(keys.sort()).toEqual(['HOST', 'PORT', 'REDIS_URL', 'ROLE', 'SILENCE_MS'])
})

test('a token that is too short isn’t also reported as missing', () => {
  expect(problems({ HOST: '0.0.0.0', WEIR_TOKEN: 'short' })).toEqual([
    'WEIR_TOKEN: expected at least 16 characters',
  ])
})

test('the message has one line per problem, and no secret', () => {
  const environment = { WEIR_TOKEN: 'hush', DATABASE_URL: 'mysql://user:hush@h/d', PORT: 'x' }
  expect(() => parseConfig(environment)).toThrow(problems(environment).join('\n'))
  expect(problems(environment).length).toBe(3)
  expect(problems(environment).join()).not.toContain('hush')
})

const S3 = {
  S3_ENDPOINT: 'https://s3.example.com/',
  S3_BUCKET: 'log',
  S3_ACCESS_KEY_ID: 'key',
  S3_SECRET_ACCESS_KEY: 'hush',
}

test('the archive requires all of its settings', () => {
  expect(parseConfig(S3)).toMatchObject({ s3Endpoint: 'https://s3.example.com', s3Bucket: 'log' })
  expect(parseConfig({ S3_REGION: 'eu', S3_PREFIX: 'x' }).s3Bucket).toBeUndefined()
})

test.each(Object.keys(S3))('half of the archive is refused: without %s', (key) => {
  expect(problems({ ...S3, [key]: '' })).toEqual([
    expect.stringContaining(`${key}: required for the archive`),
  ])
})

test.each([
  ['S3_ENDPOINT', 'https://key:hush@s3.example.com'],
  ['S3_ENDPOINT', 'https://s3.example.com?x=hush'],
  ['S3_ENDPOINT', 's3.example.com'],
  ['S3_BUCKET', 'a/b'],
])('the archive can’t be at %s=%s', (key, text) => {
  const told = problems({ ...S3, [key]: text })
  expect(told).toEqual([expect.stringContaining(`${key}: expected`)])
  expect(told.join()).not.toContain('hush')
})

test('empty values count as left out', () => {
  const keys = [...exampleEnvironment().matchAll(/^(?:# )?([A-Z_]+)=/gm)].map(([, key]) => key as string)
  expect(keys).toContain('PORT')
  expect(keys).toContain('WEIR_TOKEN')
  for (const empty of ['', '  ']) {
    expect(parseConfig(Object.fromEntries(keys.map((key) => [key, empty])))).toEqual(parseConfig({}))
  }
})

test('unknown variables are ignored', () => {
  expect(parseConfig({ PATH: '/bin', port: '1' })).toEqual(parseConfig({}))
})

test('the settings cannot be changed afterwards', () => {
  const config = parseConfig({})
  expect(() => Object.assign(config, { port: 1 })).toThrow(TypeError)
  expect(() => Object.assign(config, { token: 'x' })).toThrow(TypeError)
})

test('.env.example documents every setting, like the program', async () => {
  expect(await Bun.file(new URL('../.env.example', import.meta.url)).text()).toBe(exampleEnvironment())
})

test('.env.example as shipped equals the defaults, and its examples are valid', () => {
  const read = (pattern: RegExp) =>
    Object.fromEntries([...exampleEnvironment().matchAll(pattern)].map(([, key, value]) => [key, value]))
  const defaults = read(/^([A-Z_]+)=(.*)$/gm)
  const examples = read(/^# ([A-Z_]+)=(.*)$/gm)
  const { given, ...asWritten } = parseConfig(defaults)
  expect(given.size).toBe(Object.keys(defaults).length)
  expect(asWritten).toEqual((({ given: _, ...rest }) => rest)(parseConfig({})))
  expect(Object.keys(examples).length).toBeGreaterThan(0)
  expect(Object.keys(parseConfig(examples)).length).toBe(
    Object.keys(parseConfig({})).length + Object.keys(examples).length,
  )
})

const PROXY = 'http://user:hush-hush@proxy.test:3128'

test.each<
  [environment: Record<string, string>, proxy: Config['upstreamProxy'], bypass: Config['upstreamNoProxy']]
>([
  [{}, undefined, undefined],
  [{ UPSTREAM_PROXY: PROXY }, { http: PROXY, https: PROXY }, undefined],
  [{ UPSTREAM_PROXY: 'proxy:3128' }, { http: 'http://proxy:3128', https: 'http://proxy:3128' }, undefined],
  [{ UPSTREAM_PROXY: 'none', HTTP_PROXY: PROXY }, {}, undefined],
  [{ HTTP_PROXY: PROXY }, { http: PROXY }, undefined],
  [{ HTTP_PROXY: 'http://a.test', http_proxy: PROXY, HTTPS_PROXY: ' ' }, { http: PROXY }, undefined],
  [{ https_proxy: PROXY, NO_PROXY: 'a.test, .b.test' }, { https: PROXY }, ['a.test', '.b.test']],
  [{ HTTPS_PROXY: 'http://b.test', ALL_PROXY: PROXY }, { http: PROXY, https: 'http://b.test' }, undefined],
  [{ UPSTREAM_PROXY: PROXY, HTTP_PROXY: 'http://a.test' }, { http: PROXY, https: PROXY }, undefined],
  [{ UPSTREAM_NO_PROXY: 'c.test', NO_PROXY: 'a.test' }, undefined, ['c.test']],
])('%j sends upstream requests through %j, except for %j', (environment, proxy, bypass) => {
  const { upstreamProxy, upstreamNoProxy } = parseConfig(environment)
  expect(upstreamProxy).toEqual(proxy)
  expect(upstreamNoProxy).toEqual(bypass)
})

test.each<[key: string, text: string]>([
  ['UPSTREAM_PROXY', 'socks5://user:hush-hush@proxy.test:1080'],
  ['UPSTREAM_PROXY', 'http://proxy.test:3128/path'],
  ['HTTP_PROXY', 'socks5://user:hush-hush@proxy.test:1080'],
  ['all_proxy', 'http://[user:hush-hush'],
])('%s=%s is rejected without showing its password', (key, text) => {
  const said = [...new Set(problems({ [key]: text }))]
  expect(said).toEqual([expect.stringMatching(new RegExp(`^${key}: expected an HTTP proxy`))])
  expect(said.join()).not.toContain('hush-hush')
})

test("a proxy's password is shown nowhere, and kept out of the log", () => {
  const config = parseConfig({ HTTP_PROXY: PROXY, HTTPS_PROXY: 'http://u:p%40ss-word@b.test' })
  const shown = settingsInForce(config).find(({ key }) => key === 'UPSTREAM_PROXY')
  expect(shown).toMatchObject({ isGiven: true, value: 'http://…@proxy.test:3128/, http://…@b.test/' })
  expect(secretsOf(config)).toEqual(expect.arrayContaining(['hush-hush', 'p%40ss-word', 'p@ss-word']))
  expect(settingsInForce(parseConfig({ UPSTREAM_PROXY: 'none' })).map(({ value }) => value)).toContain('none')
})

test.each<[key: string, text: string, says: RegExp]>([
  ['NODE_TLS_REJECT_UNAUTHORIZED', '0', /disables certificate checks.*NODE_EXTRA_CA_CERTS/],
  ['BUN_CONFIG_VERBOSE_FETCH', 'curl', /prints the headers/],
  ['PGSSLMODE', 'verify-full', /add sslmode=verify-full to DATABASE_URL/],
])('%s=%s would override settings, and is rejected', (key, text, says) => {
  const environment = { DATABASE_URL: 'postgres://h/d', [key]: text }
  expect(problems(environment)).toEqual([expect.stringMatching(new RegExp(`^${key}: .*${says.source}`))])
})

test.each<Record<string, string>>([
  { NODE_TLS_REJECT_UNAUTHORIZED: '1', BUN_CONFIG_VERBOSE_FETCH: 'false' },
  { PGSSLMODE: 'require' },
  { PGSSLMODE: 'disable', DATABASE_URL: 'postgres://h/d' },
  { PGSSLMODE: 'require', DATABASE_URL: 'postgres://h/d?sslmode=verify-full' },
])('%j changes nothing, and is accepted', (environment) => {
  expect(problems(environment)).toEqual([])
})

test('what is in force is shown without secrets and credentials', () => {
  const config = parseConfig({
    ...{ WEIR_TOKEN: 'hush-a-token-of-mine', DATABASE_URL: 'postgres://weir:hush@db.test/weir?sslkey=hush' },
    PORT: '3210',
  })
  const shown = settingsInForce(config)
  expect(JSON.stringify(shown)).not.toContain('hush')
  const shownOf = (key: string) => shown.find((each) => each.key === key)?.value
  expect([shownOf('PORT'), shownOf('DATABASE_URL')]).toEqual(['3210', 'postgres://…@db.test/weir?…'])
})
