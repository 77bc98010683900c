import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Route } from '../../src/auth/access.ts'
import { createClient, type WeirClient } from '../../src/client/client.ts'
import { parseConfig } from '../../src/config/config.ts'
import { type StartOptions, startWeir } from '../../src/weir.ts'
import { openStorage, removeDataDir } from './data-dir.ts'
import { until } from './until.ts'

/** A Weir for one test, on a free port and in a temporary directory. */
export interface TestWeir {
  readonly url: string
  readonly dataDir: string
  readonly routes: readonly Route[]
  /** Its API, typed. */
  readonly client: WeirClient
  /** Its warnings: a test without expected ones checks that this is empty. */
  readonly warnings: string[]
  get(path: string): Promise<Response>
  /** Sends JSON; the caller asserts the response. */
  send(method: string, path: string, body?: unknown): Promise<Response>
  json<T = Record<string, unknown>>(path: string): Promise<T>
  register(registration: Record<string, unknown>): Promise<{ id: string; kind: string; name: string }>
  /** Waits until the stream's log has a matching entry, and returns it. */
  entry(id: string, what: string, fits: (entry: LoggedEntry) => boolean): Promise<LoggedEntry>
  /** Waits until this many of the stream's entries are in its rollups, which lag behind. */
  summed(id: string, entries: number): Promise<unknown>
  logs(id: string, query?: string): Promise<LoggedEntry[]>
  status(id: string, status: string): Promise<unknown>
  close(): Promise<void>
}

export interface LoggedEntry {
  seq: number
  at: string
  epoch: number
  kind: string
  event?: string
  eventId?: string
  wireBytes: number
  bodyBytes: number
  framingBytes?: number
  patchBytes?: number
  changed?: boolean
  hash?: string
  data?: unknown
  request?: { method: string; url: string; headers: Record<string, string> }
  response?: { status: number; headers: Record<string, string> }
}

export async function startTestWeir(
  environment: Record<string, string> = {},
  replacements: StartOptions = {},
): Promise<TestWeir> {
  const dataDir = environment.DATA_DIR ?? mkdtempSync(join(tmpdir(), 'weir-test-'))
  const warnings: string[] = []
  const config = parseConfig({ PORT: '0', DATA_DIR: dataDir, ...environment })
  const warn = (message: string, error?: unknown) => void warnings.push(`${message} ${error ?? ''}`)
  const weir = await startWeir(config, warn, {
    ...replacements,
    storage: replacements.storage ?? openStorage(config),
  })
  const url = weir.url.replace('localhost', '127.0.0.1')
  const get = (path: string) => fetch(url + path)
  const send = (method: string, path: string, body?: unknown) =>
    fetch(url + path, {
      method,
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
    })
  const json = async <T>(path: string) => (await get(path)).json() as Promise<T>
  const logs = async (id: string, query = '') =>
    (await json<{ items: LoggedEntry[] }>(`/api/streams/${id}/logs?limit=500${query}`)).items
  return {
    url,
    dataDir,
    routes: weir.routes,
    client: createClient({ url, token: config.token }),
    warnings,
    get,
    send,
    json,
    logs,
    async register(registration) {
      const response = await send('POST', '/api/streams', registration)
      if (response.status !== 201) throw new Error(`Not registered: ${await response.text()}`)
      return response.json() as Promise<{ id: string; kind: string; name: string }>
    },
    entry: (id, what, fits) => until(what, async () => (await logs(id)).find(fits)),
    summed: (id, entries) =>
      until('the entries are summed up', async () => {
        const { total } = await json<{ total: { entries: number } }>(`/api/streams/${id}/size`)
        return total.entries >= entries
      }),
    status: (id, wanted) =>
      until(`stream is ${wanted}`, async () => {
        const found = await json<{ status: string }>(`/api/streams/${id}/status`)
        return found.status === wanted && found
      }),
    async close() {
      await weir.close()
      if (environment.DATA_DIR === undefined) await removeDataDir(dataDir)
    },
  }
}
