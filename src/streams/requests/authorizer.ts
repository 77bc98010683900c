import type { DigestLogin, Login, OAuth2Login } from '../../core/sets/request-options.ts'
import { type Challenge, challengeIn, digestHeader } from './digest.ts'
import type { AskToken, Tokens } from './tokens.ts'

/** A request that is about to be sent. */
export interface Outgoing {
  method: string
  url: string
  signal: AbortSignal
  /** Sends a request to a token endpoint, and counts it. */
  ask: AskToken
}

/** Signs a stream's requests in, at its own origin only. */
export interface Authorizer {
  /** The `Authorization` header; `undefined` before the first challenge. */
  header(outgoing: Outgoing): Promise<string | undefined>
  /** Takes a 401. @returns whether the request should be sent once more */
  refused(response: Response): boolean
  /** What was sent and nobody may see. */
  secrets(): string[]
}

export function authorizerOf(login: Login, tokens: Tokens): Authorizer {
  return login.type === 'oauth2' ? new BearerAuthorizer(login, tokens) : new DigestAuthorizer(login)
}

class BearerAuthorizer implements Authorizer {
  readonly #login: OAuth2Login
  readonly #tokens: Tokens
  #sent: string | undefined
  #refused: string | undefined

  constructor(login: OAuth2Login, tokens: Tokens) {
    this.#login = login
    this.#tokens = tokens
  }

  async header({ ask, signal }: Outgoing): Promise<string> {
    this.#sent = await this.#tokens.get(this.#login, ask, signal, this.#refused)
    return `Bearer ${this.#sent}`
  }

  refused(): boolean {
    this.#refused = this.#sent
    return true
  }

  secrets(): string[] {
    return [this.#login.clientSecret, ...(this.#sent === undefined ? [] : [this.#sent])]
  }
}

class DigestAuthorizer implements Authorizer {
  readonly #login: DigestLogin
  #challenge: Challenge | undefined
  /** How often the challenge's nonce was used. */
  #count = 0

  constructor(login: DigestLogin) {
    this.#login = login
  }

  async header({ method, url }: Outgoing): Promise<string | undefined> {
    if (this.#challenge === undefined) return undefined
    const { pathname, search } = new URL(url)
    return digestHeader(this.#login, this.#challenge, {
      method,
      uri: pathname + search,
      count: ++this.#count,
    })
  }

  refused({ headers }: Response): boolean {
    this.#challenge = challengeIn(headers.get('www-authenticate'))
    this.#count = 0
    return this.#challenge !== undefined
  }

  secrets(): string[] {
    return [this.#login.password]
  }
}
