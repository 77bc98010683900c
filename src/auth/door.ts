import { Problem } from '../errors.ts'
import { tokenOf } from '../proxy/target.ts'
import { type Admission, type Caller, LOCAL, OWNER } from './caller.ts'
import type { SessionCookie } from './cookie.ts'
import type { Guesses } from './guesses.ts'
import type { Keys } from './keys.ts'
import { digestOf, isEqual, isKeyShaped } from './secrets.ts'
import type { Sessions } from './sessions.ts'

/** Who a request comes from, as far as it says; `how` tells what a page of another site could have made a browser send. */
export type Seen =
  | ({ by: 'caller' } & Admission)
  | { by: 'nobody'; wasWrong: boolean }
  | { by: 'guesser'; waitMs: number }

export interface DoorDeps {
  token: string | undefined
  keys: Keys
  sessions: Sessions
  cookie: SessionCookie
  guesses: Guesses
}

/** Finds out who asks. */
export class Door {
  readonly #deps: DoorDeps

  constructor(deps: DoorDeps) {
    this.#deps = deps
  }

  /** Whether anybody is let in: who is on this machine, that is. */
  get isOpen(): boolean {
    return this.#deps.token === undefined
  }

  /** Whether to see who asks may take a statement of the database for a secret that nobody has shown to be valid. */
  mustLookUp(request: Request): boolean {
    const { keys, sessions, cookie } = this.#deps
    const session = cookie.read(request)
    const isMadeUp = (secret: string) =>
      isKeyShaped(secret) && !this.#isToken(secret) && !keys.isProven(secret)
    return secretsOf(request).some(isMadeUp) || (session !== undefined && !sessions.isProven(session))
  }

  async see(request: Request, address: string): Promise<Seen> {
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
    // Who comes as somebody isn't taken for more than that: a revoked key doesn't make its holder the owner.
    const isClaimed = secrets.some(isKeyShaped)
    return this.isOpen && !isClaimed
      ? { by: 'caller', caller: LOCAL, how: 'open' }
      : { by: 'nobody', wasWrong }
  }

  /**
   * Lets a person in by the token or a key.
   * @returns what the cookie is to hold
   * @throws Problem `unauthorized`; TooManyGuesses after too many wrong ones
   */
  async logIn(secret: string, address: string): Promise<{ session: string; caller: Caller }> {
    const { sessions, guesses } = this.#deps
    const waitMs = guesses.waitMs(address)
    if (waitMs > 0) throw new TooManyGuesses(waitMs)
    const known = await this.#know(secret, address)
    if (typeof known === 'number') throw new TooManyGuesses(known)
    if (known === undefined) {
      if (isKeyShaped(secret)) guesses.wrong(address, secret)
      throw new Problem('unauthorized', 'That is neither the token nor a key that is valid.')
    }
    return { session: await sessions.begin(known.keyId), caller: known.caller }
  }

  async logOut(request: Request): Promise<void> {
    const session = this.#deps.cookie.read(request)
    if (session !== undefined) await this.#deps.sessions.end(session)
  }

  /** @returns whose secret it is; undefined: nobody's; a number: for so many milliseconds it isn't looked at */
  async #know(secret: string, address: string) {
    const { token, keys, guesses } = this.#deps
    // Nobody guesses a key: who has an old one in a program keeps nobody else out.
    if (isKeyShaped(secret)) {
      if (this.#isToken(secret)) return { caller: OWNER, keyId: undefined }
      const found = await keys.find(secret, address)
      return found && { caller: found.caller, keyId: found.id }
    }
    if (token === undefined) return undefined
    const waitMs = guesses.waitMs(address)
    if (waitMs > 0) return waitMs
    if (this.#isToken(secret)) return { caller: OWNER, keyId: undefined }
    guesses.wrong(address, secret)
    return undefined
  }

  #isToken(secret: string): boolean {
    const { token } = this.#deps
    return token !== undefined && isEqual(secret, token)
  }
}

/** What an address is told that sent too many wrong secrets. */
export class TooManyGuesses extends Problem {
  constructor(readonly waitMs: number) {
    const minutes = Math.ceil(waitMs / 60_000)
    const wait = minutes === 1 ? 'a minute' : `${minutes} minutes`
    super('too_many', `Too many wrong secrets came from your address. Try again in ${wait}.`)
  }

  override toResponse(): Response {
    const response = super.toResponse()
    response.headers.set('Retry-After', String(this.retryAfterSeconds))
    return response
  }

  get retryAfterSeconds(): number {
    return Math.ceil(this.waitMs / 1_000)
  }
}

/** What a request brings along, but for cookies: in its URL, as Bearer, or as the password of Basic. */
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
