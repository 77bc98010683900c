import { createHmac } from 'node:crypto'
import { eq, sql } from 'drizzle-orm'
import { marks } from '../../drizzle/schema.ts'
import type { Database } from '../storage/storage.ts'
import { linkParameter } from './access.ts'
import { isSameSecret, newSecret, type RandomBytes } from './secrets.ts'

/** What a link shows, and until when. Times as they are in the link. */
export interface LinkTerms {
  /** The route's pattern. */
  route: string
  /** The ID in its path, or the value of its {@link linkParameter}. */
  subject: string
  from: string
  to: string
  expires: string
}

/** Parameters of a link, apart from its subject; it has each of them once, and no others. */
const PARAMETERS = ['from', 'to', 'expires', 'signature'] as const
/** The mark that holds the secret. */
const MARK = 'links'
/** What the secret is for, so that a signature is never valid for anything else. */
const PURPOSE = 'weir report link 1'

export interface LinksDeps {
  db: Database
  now(): number
  random: RandomBytes
}

/** Signs links that open one page without signing in, with a secret that only this installation has. */
export class Links {
  readonly #deps: LinksDeps

  constructor(deps: LinksDeps) {
    this.#deps = deps
  }

  /** Whether a request says that it comes by a link. Checking that queries the database. */
  isClaimed({ url }: Request): boolean {
    return new URL(url).searchParams.has('signature')
  }

  /** The query of a link. */
  async sign(terms: LinkTerms): Promise<URLSearchParams> {
    const { route, subject, from, to, expires } = terms
    const parameter = linkParameter(route)
    return new URLSearchParams({
      ...(parameter !== undefined && { [parameter]: subject }),
      ...{ from, to, expires, signature: signatureOf(terms, await this.#secret()) },
    })
  }

  /** Whether a request for this route comes by a valid link. @param id in the route's path, if it has one */
  async opens({ url }: Request, route: string, id: string | undefined): Promise<boolean> {
    const parameter = linkParameter(route)
    const given = [...new URL(url).searchParams]
    const byName = new Map(given)
    const needed = parameter === undefined ? PARAMETERS : [...PARAMETERS, parameter]
    if (given.length !== needed.length || !needed.every((name) => byName.has(name))) return false
    const subject = parameter === undefined ? id : byName.get(parameter)
    if (subject === undefined) return false
    const [from, to, expires, signature] = PARAMETERS.map((name) => byName.get(name) ?? '') as [
      ...[string, string, string, string],
    ]
    const secret = await this.#stored()
    if (secret === undefined) return false
    const isRight = isSameSecret(signature, signatureOf({ route, subject, from, to, expires }, secret))
    // A time that isn't one compares as false.
    return isRight && Date.parse(expires) > this.#deps.now()
  }

  /** Ends all links. */
  async revokeAll(): Promise<void> {
    const row = this.#fresh()
    const set = { at: row.at, detail: row.detail }
    await this.#deps.db.insert(marks).values(row).onConflictDoUpdate({ target: marks.name, set })
  }

  /** Two processes may make one at the same time: the first counts. */
  async #secret(): Promise<string> {
    const stored = await this.#stored()
    if (stored !== undefined) return stored
    await this.#deps.db.insert(marks).values(this.#fresh()).onConflictDoNothing()
    return (await this.#stored()) as string
  }

  /** Read each time, so that revoking takes effect in every process at once. */
  async #stored(): Promise<string | undefined> {
    const secret = sql<string>`${marks.detail} ->> 'secret'`
    const [row] = await this.#deps.db.select({ secret }).from(marks).where(eq(marks.name, MARK))
    return row?.secret
  }

  #fresh() {
    const { now, random } = this.#deps
    return { name: MARK, at: new Date(now()), detail: { secret: newSecret(random) } }
  }
}

function signatureOf({ route, subject, from, to, expires }: LinkTerms, secret: string): string {
  // As JSON, so that no part can run into the next.
  const signed = JSON.stringify([PURPOSE, route, subject, from, to, expires])
  return createHmac('sha256', secret).update(signed).digest('base64url')
}
