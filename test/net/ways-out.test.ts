import { expect, test } from 'bun:test'
import { join } from 'node:path'

/** Files that open connections by themselves, and why they may. All others are given a `fetch` by an Egress. */
const WAYS_OUT: Readonly<Record<string, string>> = {
  'src/net/direct.ts': 'the fetch that all others are made of',
  'src/net/sockets.ts': 'opens sockets to what egress checked, and to the proxies of the operator',
  'src/net/egress.ts': 'looks up hosts, to connect to what was checked',
  'src/net/certificates.ts': 'checks certificates with node:tls, connects to nothing',
  'src/channels/kinds/email.ts': 'SMTP: to an address that the Egress resolved',
  'src/doctor/redis.ts': 'REDIS_URL, which the operator alone names',
  'src/limits/shared-counts.ts': 'REDIS_URL, which the operator alone names',
  'src/executable/main.ts': 'the health check: asks its own Weir whether it is ready',
  'src/incidents/evaluation/egress-check.ts':
    'EGRESS_CHECK_HOSTS, which the operator alone names; sends nothing',
  'src/cli/bench/pollers.ts': 'the bench of the CLI: to the server that it started on this machine',
  'src/cli/bench/subscribers.ts': 'the bench of the CLI: to the server that it started on this machine',
  'src/client/client.ts': 'the client of the CLI: to the Weir that its user names',
  'src/client/follow.ts': 'the client of the CLI: to the Weir that its user names',
  'src/relay/postgres.ts': 'DATABASE_URL, which the operator alone names',
  'src/relay/redis.ts': 'REDIS_URL, which the operator alone names',
  'src/storage/embedded.ts': 'the server that Weir itself started, by a socket in the data directory',
  'src/storage/postgres.ts': 'DATABASE_URL, which the operator alone names',
  'src/running.ts': 'asks whether the Weir that the data directory names answers',
  'src/sim/world.ts': 'the simulation, a program of its own',
}
/** Modules that open connections. `bun` among them: everything global can be imported from it under another name. */
const MODULES =
  /^(node:)?(net|tls|http|https|http2|dgram|dns|dns\/promises|undici|pg|ioredis|nodemailer|eventsource|ws|bun)$/
/** Globals that open connections. */
const GLOBALS = [
  ...['fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest', 'globalThis.fetch', 'globalThis.WebSocket'],
  ...['fetch', 'connect', 'udpSocket', 'S3Client', 's3', 'SQL', 'sql', 'RedisClient', 'redis', 'dns'].map(
    (name) => `Bun.${name}`,
  ),
]
const FOUND = 'OPENS_A_CONNECTION'
const ROOT = join(import.meta.dir, '..', '..')

/** Replaces the globals, and leaves alone what only has their name: a parameter called `fetch` was passed in. */
const transpiler = new Bun.Transpiler({
  loader: 'tsx',
  define: Object.fromEntries(GLOBALS.map((name) => [name, FOUND])),
})

function opensConnections(code: string): boolean {
  const modules = transpiler.scanImports(code).map(({ path }) => path)
  return modules.some((path) => MODULES.test(path)) || transpiler.transformSync(code).includes(FOUND)
}

test('only listed files open connections themselves', async () => {
  const found: string[] = []
  for (const file of new Bun.Glob('{src,jobs,views}/**/*.{ts,tsx}').scanSync(ROOT)) {
    if (/^views\/[^/]+\/client\//.test(file)) continue
    if (opensConnections(await Bun.file(join(ROOT, file)).text())) found.push(file)
  }
  expect(found.sort()).toEqual(Object.keys(WAYS_OUT).sort())
})

test.each([
  ['fetch("http://a")', true],
  ['const send = fetch', true],
  ['export const make = ({ fetch = globalThis.fetch }) => fetch', true],
  ['const socket = await Bun.connect({})', true],
  ['new Bun.S3Client({})', true],
  ['import { connect } from "node:net"\nconnect(1)', true],
  ['import { connect } from "bun"\nconnect(1)', true],
  ['function send(fetch: Fetch) { return fetch("http://a") }', false],
  ['deps.fetch("http://a")', false],
  ['export class Api { fetch() {} }', false],
  ['let a: typeof globalThis.fetch', false],
  ['import type { Server } from "bun"\nlet a: Server', false],
])('%s opens a connection itself: %p', (code, isFound) => {
  expect(opensConnections(code)).toBe(isFound)
})
