import type { ResponseBodyError } from 'oauth4webapi'
import type { OAuth2Login } from '../../core/sets/request-options.ts'
import { EgressError } from '../../net/egress.ts'
import { readRaw } from '../ingest/body.ts'
import { UpstreamError, type UpstreamFetch } from '../ingest/upstream.ts'

/** A token is renewed this long before it ends, in milliseconds, or after nine tenths of its time. */
const EARLY_MS = 60_000
const EARLY_SHARE = 0.1
/** Longest wait for a token endpoint, in milliseconds: streams wait for it. */
const TIMEOUT_MS = 15_000
/** Largest answer of a token endpoint, in bytes. */
const MAX_ANSWER_BYTES = 65_536
/** Tokens that are remembered; beyond that, the oldest is forgotten. */
const MAX_TOKENS = 10_000

interface Token {
  value: string
  /** When it should be renewed, and when it ends, by the clock, in milliseconds. */
  renewAt: number
  endsAt: number
}

interface Known {
  token?: Token
  renewal?: Promise<Token>
}

/** Sends a request to a token endpoint. */
export type AskToken = (url: string, init: Parameters<UpstreamFetch>[1]) => Promise<Response>

/** The access tokens of this process, one for each set of credentials: streams with the same ones share it. */
export class Tokens {
  readonly #now: () => number
  /** By credentials; the oldest first. */
  readonly #known = new Map<string, Known>()

  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  /**
   * A token for the credentials. Those who ask while it is renewed wait for the same one.
   * @param refused a token that the API has refused: it is renewed, unless that has been done
   * @throws UpstreamError `auth_failed`; the signal's reason when it aborts first
   */
  async get(login: OAuth2Login, ask: AskToken, signal: AbortSignal, refused?: string): Promise<string> {
    const known = this.#of(login)
    const at = this.#now()
    const usable = (until: 'renewAt' | 'endsAt') => {
      const { token } = known
      return token !== undefined && token.value !== refused && at < token[until] ? token.value : undefined
    }
    const token = usable('renewAt')
    if (token !== undefined) return token
    try {
      return (await whileNotAborted(this.#renewal(known, login, ask), signal)).value
    } catch (error) {
      // It was to be renewed early, so that it may fail.
      const last = signal.aborted ? undefined : usable('endsAt')
      if (last !== undefined) return last
      throw error
    }
  }

  #renewal(known: Known, login: OAuth2Login, ask: AskToken): Promise<Token> {
    known.renewal ??= askForToken(login, ask, this.#now)
      .then((token) => {
        known.token = token
        return token
      })
      .finally(() => {
        known.renewal = undefined
      })
    return known.renewal
  }

  #of(login: OAuth2Login): Known {
    const key = JSON.stringify(login)
    const known = this.#known.get(key) ?? {}
    this.#known.delete(key)
    this.#known.set(key, known)
    const [oldest] = this.#known.keys()
    if (this.#known.size > MAX_TOKENS && oldest !== undefined) this.#known.delete(oldest)
    return known
  }
}

/** The request ends by its own deadline, because several streams may wait for it. */
async function askForToken(login: OAuth2Login, ask: AskToken, now: () => number): Promise<Token> {
  const oauth = await import('oauth4webapi')
  const { tokenUrl, clientId, clientSecret, scope, audience, credentialsIn } = login
  const server = { issuer: new URL(tokenUrl).origin, token_endpoint: tokenUrl }
  const client = { client_id: clientId }
  const proof =
    credentialsIn === 'body' ? oauth.ClientSecretPost(clientSecret) : oauth.ClientSecretBasic(clientSecret)
  const parameters = { ...(scope !== undefined && { scope }), ...(audience !== undefined && { audience }) }
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const send = async (
    url: string,
    { method, headers, body }: { method: string; headers: object; body: unknown },
  ) => {
    const asked = { ...headers, 'Accept-Encoding': 'identity' }
    return bounded(
      await ask(url, { method, headers: asked, body: String(body), redirect: 'manual', signal }),
      signal,
    )
  }
  const options = { [oauth.customFetch]: send, [oauth.allowInsecureRequests]: true }
  try {
    const response = await oauth.clientCredentialsGrantRequest(server, client, proof, parameters, options)
    const { access_token: value, expires_in: seconds } = await oauth.processClientCredentialsResponse(
      server,
      client,
      response,
    )
    const lastsMs = seconds === undefined ? Number.POSITIVE_INFINITY : seconds * 1_000
    const endsAt = now() + lastsMs
    return { value, endsAt, renewAt: endsAt - Math.min(EARLY_MS, lastsMs * EARLY_SHARE || 0) }
  } catch (error) {
    throw authFailed(error, tokenUrl)
  }
}

/** The same response with a body that is read already, up to a limit. */
async function bounded(response: Response, signal: AbortSignal): Promise<Response> {
  const { raw } = await readRaw(response, { maxBytes: MAX_ANSWER_BYTES, timeoutMs: TIMEOUT_MS }, signal)
  const { status, headers } = response
  return new Response(new Uint8Array(raw), { status, headers })
}

/** What went wrong, without anything that the endpoint may have repeated of the request. */
function authFailed(error: unknown, tokenUrl: string): UpstreamError {
  if (error instanceof UpstreamError || error instanceof EgressError) throw error
  const { host } = new URL(tokenUrl)
  const { status, error: reason, code, name } = error as ResponseBodyError & { code?: string }
  if (name === 'ResponseBodyError') {
    const said = /^[\w.-]{1,40}$/.test(reason) ? ` ${reason}` : ''
    return new UpstreamError('auth_failed', `The token endpoint at ${host} returned ${status}${said}.`)
  }
  const why = name === 'TimeoutError' ? 'no answer in time' : (code ?? name)
  return new UpstreamError('auth_failed', `Can't get a token from ${host} (${why}).`)
}

async function whileNotAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort)
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
