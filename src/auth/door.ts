import { Problem, RetryLater } from '../errors.ts'
import { tokenOf } from '../proxy/target.ts'
import { isLinked } from './access.ts'
import { type Admission, type Caller, LINK_READER, LOCAL, OWNER } from './caller.ts'
import type { SessionCookie } from './cookie.ts'
import type { Guesses } from './guesses.ts'
import type { Keys } from './keys.ts'
import type { Links } from './links.ts'
import { digestOf, isKeyShaped, isSameSecret } from './secrets.ts'
import type { Sessions } from './sessions.ts'

/** Who a request comes from; `how` determines whether a page on another site could have made a browser send it. */
export type RequestIdentity =
  | ({ by: 'caller' } & Admission)
  | { by: 'nobody'; wasWrong: boolean; isByLink?: boolean }
  | { by: 'guesser'; waitMs: number }

export interface DoorDeps {
  token: string | undefined
  keys: Keys
  sessions: Sessions
  cookie: SessionCookie
  guesses: Guesses
  links: Links
}

/** What a request asks for: the route that the router matched, and the ID in its path. */
export interface Wanted {
  route: string
  subject: string | undefined
}

/** Identifies callers. */
export class Door {
  readonly #deps: DoorDeps

  constructor(deps: DoorDeps) {
    this.#deps = deps
  }

  /** Whether sign-in is off, so that anyone on this machine has access. */
  get isOpen(): boolean {
    return this.#deps.token === undefined
  }

  /** Whether identifying the caller may query the database for a secret that isn't known to be valid. */
  mustLookUp(request: Request, wanted?: Wanted): boolean {
    const { keys, sessions, cookie } = this.#deps
    const session = cookie.read(request)
    const isMadeUp = (secret: string) =>
      isKeyShaped(secret) && !this.#isToken(secret) && !keys.isProven(secret)
    const isSession = session !== undefined && !sessions.isProven(session)
    return secretsOf(request).some(isMadeUp) || isSession || this.#isByLink(request, wanted)
  }

  /** @param wanted omitted for a request that no signed link may open */
  async see(request: Request, address: string, wanted?: Wanted): Promise<RequestIdentity> {
    const secrets = secretsOf(request)
    let wasWrong = false
    for (const secret of secrets) {
      const known = await this.#know(secret, address)
      if (typeof known === 'number') return { by: 'guesser', waitMs: known }
      if (known !== undefined) {
        const { caller, keyId } = known
        return { by: 'caller', caller, how: 'secret', credential: keyId && `key:${keyId}` }
      }
      wasWrong = true
    }
    const { sessions, cookie } = this.#deps
    const session = cookie.read(request)
    const caller = session === undefined ? undefined : await sessions.find(session, address)
    if (session !== undefined && caller !== undefined)
      return { by: 'caller', caller, how: 'cookie', credential: `session:${digestOf(session)}` }
    const byLink = wasWrong ? undefined : await this.#seeLink(request, wanted)
    if (byLink !== undefined) return byLink
    // A request with a credential never falls back to local access: a revoked key must not turn its caller into the
    // owner.
    const isClaimed = secrets.some(isKeyShaped)
    return this.isOpen && !isClaimed
      ? { by: 'caller', caller: LOCAL, how: 'open' }
      : { by: 'nobody', wasWrong }
  }

  /**
   * Signs a person in with the token or a key.
   * @returns the value of the session cookie
   * @throws Problem `unauthorized`; TooManyGuesses after too many wrong secrets
   */
  async logIn(secret: string, address: string): Promise<{ session: string; caller: Caller }> {
    const { sessions, guesses } = this.#deps
    const waitMs = guesses.waitMs(address)
    if (waitMs > 0) throw new TooManyGuesses(waitMs)
    const known = await this.#know(secret, address)
    if (typeof known === 'number') throw new TooManyGuesses(known)
    // Other secrets are counted where they are compared.
    const keyWaitMs = isKeyShaped(secret) ? await guesses.count(address, secret, known !== undefined) : 0
    if (keyWaitMs > 0) throw new TooManyGuesses(keyWaitMs)
    if (known === undefined) {
      throw new Problem('unauthorized', 'Wrong token, or the API key is invalid, revoked or expired.')
    }
    return { session: await sessions.begin(known.keyId), caller: known.caller }
  }

  async logOut(request: Request): Promise<void> {
    const session = this.#deps.cookie.read(request)
    if (session !== undefined) await this.#deps.sessions.end(session)
  }

  /** @returns undefined if no link may open the route, or the request has none */
  async #seeLink(request: Request, wanted: Wanted | undefined): Promise<RequestIdentity | undefined> {
    if (wanted === undefined || !this.#isByLink(request, wanted)) return undefined
    if (await this.#deps.links.opens(request, wanted.route, wanted.subject))
      return { by: 'caller', caller: LINK_READER, how: 'link' }
    return { by: 'nobody', wasWrong: false, isByLink: true }
  }

  #isByLink(request: Request, wanted: Wanted | undefined): boolean {
    if (wanted === undefined || !isLinked(request.method, wanted.route)) return false
    return this.#deps.links.isClaimed(request)
  }

  /** @returns the caller with this secret; undefined: none; a number: milliseconds until the next try */
  async #know(secret: string, address: string) {
    const { token, keys, guesses } = this.#deps
    // Keys can't be guessed, so a program with an old key doesn't lock anyone out.
    if (isKeyShaped(secret)) {
      if (this.#isToken(secret)) return { caller: OWNER, keyId: undefined }
      const found = await keys.find(secret, address)
      return found && { caller: found.caller, keyId: found.id }
    }
    if (token === undefined) return undefined
    const isRight = this.#isToken(secret)
    const waitMs = await guesses.count(address, secret, isRight)
    if (waitMs > 0) return waitMs
    return isRight ? { caller: OWNER, keyId: undefined } : undefined
  }

  #isToken(secret: string): boolean {
    const { token } = this.#deps
    return token !== undefined && isSameSecret(secret, token)
  }
}

/** The answer to an address that sent too many wrong secrets. */
export class TooManyGuesses extends RetryLater {
  constructor(waitMs: number) {
    const minutes = Math.ceil(waitMs / 60_000)
    const wait = minutes === 1 ? 'a minute' : `${minutes} minutes`
    super(`Too many failed attempts from your address. Try again in ${wait}.`, waitMs)
  }
}

/** A request's secret other than a cookie: in its URL, as Bearer, or as the password of Basic. */
function secretsOf(request: Request): string[] {
  const inUrl = tokenOf(new URL(request.url))
  const [scheme = '', credentials = ''] = (request.headers.get('authorization') ?? '').split(' ')
  const secrets = inUrl === undefined ? [] : [inUrl]
  if (scheme.toLowerCase() === 'bearer') secrets.push(credentials)
  if (scheme.toLowerCase() === 'basic') {
    const decoded = Buffer.from(credentials, 'base64').toString('utf8')
    secrets.push(decoded.slice(decoded.indexOf(':') + 1))
  }
  return secrets.filter((secret) => secret !== '')
}
