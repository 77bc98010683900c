import { treaty } from '@elysiajs/eden'
import type { Elysia } from 'elysia'
import type { createApp } from '../app.ts'
import type { Sent } from '../routes/http/query.ts'
import { explainFailure, UnreachableError, WeirError } from './errors.ts'

/** Longest wait for a response, in milliseconds: registering requests the API first. */
const DEFAULT_TIMEOUT_MS = 60_000

export interface ClientOptions {
  /** The URL of Weir; a path is kept, a trailing slash is removed. */
  url: string
  /** Sent as a bearer token to this address only: redirects are not followed. */
  token?: string | undefined
  /** Default 60,000. */
  timeoutMs?: number
  /** Ends every request when it aborts. */
  signal?: AbortSignal
  fetch?: Fetch
}

export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>
type Routes = SentRoutes<Awaited<ReturnType<typeof createApp>>['~Routes']>
// biome-ignore lint/suspicious/noExplicitAny: only the routes of the program matter to its client
type App = Elysia<any, any, any, any, Routes, any, any>

/** Routes whose queries are as clients send them, not as handlers read them: times as text, defaults left out. */
type SentRoutes<Tree> = {
  [Key in keyof Tree]: Tree[Key] extends { query: infer Query; response: unknown }
    ? Sent extends keyof Query
      ? Omit<Tree[Key], 'query'> & { query: NonNullable<Query[Sent]> }
      : Tree[Key]
    : SentRoutes<Tree[Key]>
}

export interface WeirClient {
  /** Without a trailing slash. */
  readonly url: string
  /**
   * The routes under `/api`, with the types of the program itself: an unknown path, field or parameter doesn't
   * compile. Path parameters are inserted unescaped: they are IDs, not user input.
   */
  readonly api: ReturnType<typeof treaty<App>>['api']
  /**
   * One request whose response is read as a stream.
   * @throws WeirError, UnreachableError
   */
  open(path: string, init?: RequestInit): Promise<Response>
}

export function createClient({
  token,
  timeoutMs = DEFAULT_TIMEOUT_MS,
  ...options
}: ClientOptions): WeirClient {
  const url = options.url.replace(/\/+$/, '')
  const { fetch = globalThis.fetch, signal } = options
  const headers: Record<string, string> = { accept: 'application/json' }
  if (token) headers.authorization = `Bearer ${token}`
  const bounded = (input: Parameters<Fetch>[0], init: RequestInit = {}) => {
    const limit = AbortSignal.timeout(timeoutMs)
    return fetch(input, {
      ...init,
      redirect: 'manual',
      signal: signal ? AbortSignal.any([limit, signal]) : limit,
    })
  }
  return {
    url,
    // Text that looks like a time may be a name, so nothing becomes a Date.
    api: treaty<App>(url, {
      headers,
      parseDate: false,
      keepDomain: true,
      fetcher: bounded as typeof fetch & typeof globalThis.fetch,
    }).api,
    async open(path, init = {}) {
      const own = new Headers({ ...headers, ...(init.headers as Record<string, string>) })
      const sent = { ...init, headers: own, redirect: 'manual' as const, signal: init.signal ?? signal }
      const response = await fetch(url + path, sent as RequestInit).catch((error) => {
        throw new UnreachableError(url, error)
      })
      if (response.ok) return response
      throw explainFailure(url, response, await response.json().catch(() => undefined))
    },
  }
}

/** A value in JSON: times are text. */
export type Wire<T> = T extends Date
  ? string
  : T extends readonly (infer Item)[]
    ? Wire<Item>[]
    : T extends object
      ? { [Key in keyof T]: Wire<T[Key]> }
      : T

/**
 * The result of a call of {@link WeirClient.api}.
 * @throws WeirError if Weir rejects it; UnreachableError if it doesn't respond
 */
export async function answerOf<Answered extends { data: unknown; error: unknown; response: Response }>(
  url: string,
  call: Promise<Answered>,
): Promise<Wire<NonNullable<Answered['data']>>> {
  const { data, error, response } = await call.catch((error) => {
    throw new UnreachableError(url, error)
  })
  const fault = error as { value?: unknown } | null
  // No response at all, which the types don't express.
  if ((response as Response | undefined) === undefined) throw new UnreachableError(url, fault?.value)
  if (fault !== null) throw explainFailure(url, response, fault.value)
  const isJson = response.headers.get('content-type')?.startsWith('application/json')
  if (!isJson && response.status !== 204) {
    throw new WeirError(
      'not_weir',
      `The server at ${url} isn't Weir, or is an older version.`,
      response.status,
    )
  }
  return data as Wire<NonNullable<Answered['data']>>
}
