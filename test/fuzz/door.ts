import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { allRoutes, HOSTS, NO_HOSTS, OPEN_PATHS, SCOPES } from '../auth/walk.ts'
import { integer, mulberry32, pick, type Random, several } from '../core/seeded.ts'
import { spawnWeir } from '../support/process.ts'
import { bodyOf, type RawAnswer, type RawRequest, sendRaw } from '../support/raw.ts'
import { until } from '../support/until.ts'
import { ODD_TEXTS } from './bytes.ts'

export interface DoorOptions {
  seed: number
  seconds: number
}

export interface DoorResult {
  faults: string[]
  requests: number
  /** Requests by who sent them and what they were answered. */
  statuses: Record<string, number>
}

const TOKEN = 'the-token-that-nobody-knows'
const LANES = 8
const MAX_REQUESTS = 200_000
const MAX_FAULTS = 20
const METHODS = [
  'GET',
  'GET',
  'HEAD',
  'POST',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'get',
  'BREW',
] as const
/** Would make what is asked afterwards wait, or open event streams without end. */
const LEFT_ALONE = /^(POST \/api\/backup|ALL \/jobs.*)$/
const TELEMETRY = /^\/(activate|v1\/traces|api\/topology)$/
const BODIES = [
  '{"name":"intruder","scope":"admin"}',
  '{"url":"http://127.0.0.1:1/intruder","kind":"poll","start":false}',
  '{"kind":"webhook","name":"intruder","url":"http://127.0.0.1:1/"}',
  '{"tag":"intruder","reason":"intruder","endsAt":"2099-01-01T00:00:00Z"}',
  'name=intruder&scope=admin',
  `secret=${TOKEN}x`,
  '',
] as const

type Who = 'nobody' | 'invented' | 'revoked' | (typeof SCOPES)[number]
const WHO: readonly Who[] = ['nobody', 'nobody', 'invented', 'revoked', 'read', 'read', 'operate']

/** Attacks the door: hosts, targets, methods and keys that are put together at random, and judges who was let in. */
export async function fuzzDoor({ seed, seconds }: DoorOptions): Promise<DoorResult> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-fuzz-'))
  const weir = spawnWeir({
    ...{ DATA_DIR: directory, WEIR_TOKEN: TOKEN, RATE_LIMIT: '0', PROXY_LINGER_MS: '10000' },
    MAX_SUBSCRIBERS_PER_CLIENT: '100000',
  })
  try {
    const url = await weir.url()
    await until('it is ready', async () => (await fetch(`${url}/readyz`)).ok)
    return await new Attack(url, seed).run(seconds)
  } finally {
    weir.child.kill('SIGKILL')
    await weir.ended()
    rmSync(directory, { recursive: true, force: true })
  }
}

class Attack {
  readonly #url: string
  readonly #seed: number
  readonly #secrets = new Map<Who, string>()
  readonly #faults: string[] = []
  readonly #statuses: Record<string, number> = {}
  /** What is answered to everybody. */
  readonly #open = new Set<string>()
  #requests = 0
  /** Requests of the key that may change something, by which it was. */
  #changes = 0
  #operatorId = ''

  constructor(url: string, seed: number) {
    this.#url = url
    this.#seed = seed
  }

  async run(seconds: number): Promise<DoorResult> {
    await this.#prepare()
    const before = await this.#state()
    const end = Date.now() + seconds * 1_000
    const lane = async (number: number) => {
      const random = mulberry32(this.#seed + number)
      while (Date.now() < end && this.#requests < MAX_REQUESTS && this.#faults.length < MAX_FAULTS)
        await this.#attack(random)
    }
    await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)))
    await this.#judgeState(before)
    return { faults: this.#faults, requests: this.#requests, statuses: this.#statuses }
  }

  async #prepare(): Promise<void> {
    for (const who of [...SCOPES, 'revoked'] as const) {
      const scope = who === 'revoked' ? 'admin' : who
      const made = (await this.#asOwner('POST', '/api/keys', { name: who, scope })) as {
        id: string
        secret: string
      }
      this.#secrets.set(who, made.secret)
      if (who === 'operate') this.#operatorId = made.id
      if (who === 'revoked') await this.#asOwner('DELETE', `/api/keys/${made.id}`)
    }
    const { host } = new URL(this.#url)
    for (const target of [
      ...OPEN_PATHS,
      '/readyz',
      '/assets/views/access/login.css',
      '/assets/views/layout/weir.svg',
    ])
      this.#open.add(told(await sendRaw(this.#url, { method: 'GET', target, headers: [`Host: ${host}`] })))
  }

  async #attack(random: Random): Promise<void> {
    const who = pick(random, WHO)
    const request = this.#request(random, who)
    const answer = await sendRaw(this.#url, request)
    this.#requests++
    const counted = `${who} ${answer.status}`
    this.#statuses[counted] = (this.#statuses[counted] ?? 0) + 1
    const fault = this.#faultOf(who, request, answer)
    if (fault !== undefined)
      this.#faults.push(`${fault}: ${JSON.stringify(request)}\n  ${answer.text.slice(0, 400)}`)
  }

  #request(random: Random, who: Who): RawRequest {
    const route = pick(
      random,
      allRoutes().filter(({ name }) => !LEFT_ALONE.test(name)),
    )
    const method = random() < 0.7 ? route.method : pick(random, METHODS)
    const hosts = several(random, 1, () => pick(random, [...HOSTS, ...NO_HOSTS, new URL(this.#url).host]))
    if (hosts.length === 0 || random() < 0.1) hosts.push(pick(random, ['localhost', new URL(this.#url).host]))
    const headers = [
      ...hosts.map((host) => `Host: ${host}`),
      ...this.#credentials(random, who),
      ...several(random, 2, () => pick(random, ODD_HEADERS)),
    ]
    const body = method === 'GET' || method === 'HEAD' ? '' : pick(random, BODIES)
    return { method, target: disguised(random, route.path), headers, body }
  }

  #credentials(random: Random, who: Who): string[] {
    if (who === 'nobody') return random() < 0.8 ? [] : [pick(random, NO_CREDENTIALS)]
    const invented = `weir_${Array.from({ length: 43 }, () => pick(random, [...'abcXYZ09-_'])).join('')}`
    const secret = this.#secrets.get(who) ?? invented
    return [
      random() < 0.5
        ? `Authorization: Bearer ${secret}`
        : `Authorization: Basic ${Buffer.from(`x:${secret}`).toString('base64')}`,
    ]
  }

  #faultOf(who: Who, { method, target }: RawRequest, answer: RawAnswer): string | undefined {
    const { status } = answer
    if (status >= 500 && status !== 501 && status !== 503 && status !== 505) return 'a fault inside'
    const isLetIn = status >= 200 && status < 400 && !isRefusal(answer)
    const mayChange = who === 'operate' || who === 'admin'
    const isChange = !/^(GET|HEAD|OPTIONS)$/i.test(method)
    if (isLetIn && isChange && mayChange && !isUnaudited(target)) this.#changes++
    if (!isLetIn) return undefined
    if (who === 'nobody' || who === 'invented' || who === 'revoked')
      return this.#isOpen(method, answer) ? undefined : `${who} was let in`
    return who === 'read' && isChange && !isOwn(target) ? 'a key that may read changed something' : undefined
  }

  #isOpen(method: string, answer: RawAnswer): boolean {
    if (method === 'HEAD') return answer.text.includes('\r\n\r\n')
    return this.#open.has(told(answer))
  }

  /** What keys of too little scope must not have changed, and what must have been recorded. */
  async #judgeState(before: Record<string, number>): Promise<void> {
    const after = await this.#state()
    for (const name of ['keys', 'channels'])
      if (before[name] !== after[name])
        this.#faults.push(`${name}: ${before[name]} before, ${after[name]} after`)
    const rows = await until('the audit is written', async () => {
      const count = await this.#auditRows()
      return count >= this.#changes && { count }
    }).catch(async () => ({ count: await this.#auditRows() }))
    if (rows.count < this.#changes)
      this.#faults.push(`${this.#changes} changes of the operator, and ${rows.count} rows of the audit`)
  }

  async #auditRows(): Promise<number> {
    let count = 0
    let after = ''
    for (;;) {
      const path = `/api/audit?limit=500&caller=key:${this.#operatorId}${after}`
      const page = (await this.#asOwner('GET', path)) as { items: unknown[]; next: string | null }
      count += page.items.length
      if (page.next === null) return count
      after = `&after=${page.next}`
    }
  }

  async #state(): Promise<Record<string, number>> {
    const lengthOf = async (path: string) =>
      ((await this.#asOwner('GET', path)) as { items: unknown[] }).items.length
    return { keys: await lengthOf('/api/keys'), channels: await lengthOf('/api/channels') }
  }

  async #asOwner(method: string, path: string, body?: unknown): Promise<unknown> {
    const headers = { Authorization: `Bearer ${TOKEN}` }
    const response = await fetch(this.#url + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }
}

const ODD_HEADERS = [
  'X-Forwarded-Host: a',
  'X-Forwarded-For: 127.0.0.1',
  'X-Original-URL: /healthz',
  'X-Rewrite-URL: /login',
  'X-HTTP-Method-Override: GET',
  'X-Weir-Worker: 1',
  'Origin: http://localhost',
  'Sec-Fetch-Site: same-origin',
  'HX-Request: true',
  'Accept: text/html',
  'Accept: text/event-stream',
  'Upgrade: websocket',
  'Cookie: weir-session=',
  `Cookie: weir-session=${'a'.repeat(43)}`,
] as const

const NO_CREDENTIALS = [
  'Authorization: Bearer',
  'Authorization: Basic Og==',
  'Authorization: Bearer null',
  'Authorization: bearer undefined',
  `Authorization: Basic ${'A'.repeat(200)}`,
  'Authorization: Negotiate x',
] as const

/** The path of a route, in one of the ways in which parsers of targets come to differ. */
function disguised(random: Random, path: string): string {
  const open = pick(random, OPEN_PATHS)
  const odd = encodeURIComponent(pick(random, ODD_TEXTS).toWellFormed()).slice(0, 200)
  const slashed = path.slice(1)
  const forms = [
    path,
    path,
    `${path}/`,
    `/${path}`,
    `/.${path}`,
    `${open}/..${path}`,
    `${open}/..%2f${slashed}`,
    `${open}?${path}`,
    `${open}#${path}`,
    `${open}#?${path}`,
    `${open};${path}`,
    `${open}%3f${path}`,
    `${open}%00${path}`,
    `${path}?${open}`,
    `${path}#${open}`,
    `${path}%23${open}`,
    `${path}?${odd}`,
    `http://a${path}`,
    `http://localhost${open}?${path}`,
    `https://a.test:1${path}`,
    `/http://a/..${path}`,
    `/proxy/..${path}`,
    `\\${slashed}`,
    path.toUpperCase(),
    path.replaceAll('/', '//'),
    path.replace(/[a-z]/, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
    `${path.slice(0, integer(random, path.length) + 1)}${odd}`,
  ]
  return pick(random, forms).replace(/[\r\n ]/g, '')
}

/** Whether an answer below 400 says no: the proxy tells so by an event, a browser is led to the page for logging in. */
function isRefusal({ status, text }: RawAnswer): boolean {
  if (status === 303) return /^location: \/login(\?|\r)/im.test(text)
  return /^content-type: text\/event-stream/im.test(text) && text.includes('event: error')
}

/** What is told, without what is another in each answer. */
function told(answer: RawAnswer): string {
  return `${answer.status} ${bodyOf(answer)}`
}

/** Recorded once a minute, or not at all. */
function isUnaudited(target: string): boolean {
  return TELEMETRY.test(pathOf(target)) || isOwn(target)
}

/** What a caller may change whatever its scope: itself. */
function isOwn(target: string): boolean {
  return /^\/(settings\/preferences|logout|login)\/?$/.test(pathOf(target))
}

function pathOf(target: string): string {
  return URL.parse(target, 'http://a')?.pathname ?? target
}
