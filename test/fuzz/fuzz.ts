import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseJson } from '../../src/core/documents/json.ts'
import type { ApiDocument } from '../../src/routes/openapi/types.ts'
import { mulberry32 } from '../core/seeded.ts'
import { newDataDir } from '../support/data-dir.ts'
import { spawnWeir, type WeirProcess } from '../support/process.ts'
import { until } from '../support/until.ts'
import type { LoggedEntry } from '../support/weir.ts'
import { PATHS } from './answers.ts'
import { faultOf, judgeLog } from './judge.ts'
import { type FuzzRequest, Requests } from './requests.ts'
import { send, sendRaw } from './send.ts'
import { type HostileUpstream, startHostileUpstream } from './upstream.ts'
import { Values, type World } from './values.ts'

export interface FuzzOptions {
  seed: number
  /** How long it is fuzzed for, beside starting and judging. */
  seconds: number
  tell(line: string): void
}

export interface FuzzResult {
  faults: string[]
  requests: number
  /** Requests by what they were answered. */
  statuses: Record<string, number>
  upstreamAnswers: number
  entries: number
  /** Sockets that Weir has open. */
  sockets: { before: number; after: number }
  memoryMiB: { before: number; after: number }
  /** The end of what Weir printed. */
  output: string
}

/** Requests under way at a time. */
const LANES = 6
/** However fast the machine: what is recorded of a run is read back at its end. */
const MAX_REQUESTS = 200_000
const MAX_IDS = 60
const MAX_FAULTS = 20
/** Streams to begin with. */
const STREAMS = 10
/** Connections of pools that are kept open for a while, at rest. */
const SPARE_SOCKETS = 16
/** What a run may add to the memory in use, in MiB: caches, statements that were prepared, pages of the database. */
const MAX_GROWTH_MIB = 600
const OUTPUT_CHARS = 20_000
const PATIENCE_MS = 60_000
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g
const SMALL = {
  REQUEST_TIMEOUT_MS: '1000',
  SILENCE_MS: '1000',
  MAX_BODY_BYTES: '1048576',
  PROXY_LINGER_MS: '10000',
}

/** Throws malformed bytes at a Weir from both sides, and says what didn't hold. */
export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const directory = await newDataDir('weir-fuzz-')
  const upstream = await startHostileUpstream(mulberry32(options.seed + 1))
  const weir = spawnWeir({ ...SMALL, DATA_DIR: directory })
  try {
    const url = await weir.url()
    // It answers pages before it has started everything; until then, /readyz answers 503.
    await until('it is ready', async () => (await fetch(`${url}/readyz`)).ok)
    return await new Run(options, weir, upstream, url).run()
  } finally {
    weir.child.kill('SIGKILL')
    await weir.ended()
    await upstream.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

class Run {
  readonly #options: FuzzOptions
  readonly #weir: WeirProcess
  readonly #upstream: HostileUpstream
  readonly #url: string
  readonly #faults: string[] = []
  readonly #statuses: Record<string, number> = {}
  readonly #ids: string[] = []
  #requests = 0

  constructor(options: FuzzOptions, weir: WeirProcess, upstream: HostileUpstream, url: string) {
    this.#options = options
    this.#weir = weir
    this.#upstream = upstream
    this.#url = url
  }

  async run(): Promise<FuzzResult> {
    const document = await this.#json<ApiDocument>('/openapi/json')
    const before = this.#used()
    await this.#throwAll(document)
    this.#options.tell(`${this.#requests} requests sent; judging`)
    const entries = await this.#judgeEntries()
    await this.#judgeRest(before.sockets)
    const after = this.#used()
    if (after.memoryMiB - before.memoryMiB > MAX_GROWTH_MIB)
      this.#faults.push(`memory: from ${before.memoryMiB} to ${after.memoryMiB} MiB`)
    return {
      faults: this.#faults,
      requests: this.#requests,
      statuses: this.#statuses,
      upstreamAnswers: this.#upstream.answered(),
      entries,
      sockets: { before: before.sockets, after: after.sockets },
      memoryMiB: { before: before.memoryMiB, after: after.memoryMiB },
      output: this.#weir.output().slice(-OUTPUT_CHARS),
    }
  }

  async #throwAll(document: ApiDocument): Promise<void> {
    const { seed, seconds } = this.#options
    const { components } = document
    const schemaOf = (reference: string) => components.schemas[reference.split('/').at(-1) ?? '']
    const world: World = { ids: this.#ids, origin: this.#upstream.origin, paths: PATHS, schemaOf }
    const end = Date.now() + seconds * 1_000
    const isOver = () =>
      Date.now() > end || this.#faults.length >= MAX_FAULTS || this.#requests >= MAX_REQUESTS
    const lane = async (number: number) => {
      const random = mulberry32(seed + 100 + number)
      const requests = new Requests(random, new Values(random, world), document)
      for (let each = 0; each < STREAMS / LANES; each++) await this.#throw(requests.registration())
      while (!isOver()) {
        const request = requests.next()
        if (random() < 0.15) this.#note(request, await sendRaw(this.#url, request, random))
        else await this.#throw(request)
      }
    }
    await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)))
  }

  async #throw(request: FuzzRequest): Promise<void> {
    this.#note(request, await send(this.#url, request))
  }

  #note(request: FuzzRequest, outcome: Awaited<ReturnType<typeof send>>): void {
    this.#requests++
    const status = outcome.kind === 'answer' ? String(outcome.status) : outcome.kind
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1
    const fault = faultOf(request, outcome)
    if (fault !== undefined) this.#faults.push(fault)
    if (outcome.kind !== 'answer') return
    for (const id of outcome.text.match(UUID) ?? []) {
      if (this.#ids.includes(id)) continue
      this.#ids.push(id)
      if (this.#ids.length > MAX_IDS) this.#ids.shift()
    }
  }

  /** Reads back every log that is left. @returns how many entries there were */
  async #judgeEntries(): Promise<number> {
    let entries = 0
    for (const id of await this.#streams()) {
      const response = await fetch(`${this.#url}/api/streams/${id}/logs`, {
        headers: { Accept: 'application/x-ndjson' },
      })
      if (response.status === 404) continue
      const lines = (await response.text()).split('\n').filter(Boolean)
      const log = lines.map((line) => parseJson(line) as unknown as LoggedEntry)
      entries += log.length
      this.#faults.push(...judgeLog(id, log))
    }
    return entries
  }

  /** With all streams gone there is nothing left to hold a connection for. */
  async #judgeRest(sockets: number): Promise<void> {
    for (const id of await this.#streams())
      await fetch(`${this.#url}/api/streams/${id}`, { method: 'DELETE' })
    const rest = async (what: string, look: () => boolean | Promise<boolean>) => {
      await until(what, look, PATIENCE_MS).catch((error) => this.#faults.push(String(error)))
    }
    await rest('no subscriber is left', async () => (await this.#subscribers()) === 0)
    await rest('connections are back', () => this.#used().sockets <= sockets + SPARE_SOCKETS)
    await rest('it is healthy', async () => (await fetch(`${this.#url}/healthz`)).status === 200)
    if (this.#weir.child.exitCode !== null)
      this.#faults.push(`it ended: ${this.#weir.output().slice(-2_000)}`)
  }

  async #subscribers(): Promise<number> {
    const text = await (await fetch(`${this.#url}/metrics`)).text()
    return Number(/^weir_fanout_subscribers(?:\{.*\})? (\d+)/m.exec(text)?.[1] ?? Number.NaN)
  }

  async #streams(): Promise<string[]> {
    const ids: string[] = []
    let after: string | null = ''
    while (after !== null) {
      const query: string = after === '' ? '' : `&after=${encodeURIComponent(after)}`
      type Page = { items: { id: string }[]; next: string | null }
      const page: Page = await this.#json<Page>(`/api/streams?limit=500${query}`)
      ids.push(...page.items.map(({ id }) => id))
      after = page.next
    }
    return ids
  }

  async #json<T>(path: string): Promise<T> {
    return (await fetch(this.#url + path)).json() as Promise<T>
  }

  #used() {
    const { pid } = this.#weir.child
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1])
    return { sockets: socketsOf(pid), memoryMiB: Math.round((pages * 4_096) / 2 ** 20) }
  }
}

/** Sockets that a process has open. */
function socketsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder).filter((name) => {
    try {
      return readlinkSync(join(folder, name)).startsWith('socket:')
    } catch {
      return false
    }
  }).length
}
