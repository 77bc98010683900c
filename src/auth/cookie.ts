const NAME = 'weir-session'

export interface SessionCookieOptions {
  /** Public URL of Weir; undefined: where it listens. */
  publicUrl: string | undefined
}

/** The session cookie: its name, how it is set and read. */
export class SessionCookie {
  /**
   * Over https, its name is one that browsers accept only from this host and only over https (RFC 6265bis, 4.1.3.2).
   */
  readonly name: string
  readonly #isAlwaysSecure: boolean

  constructor({ publicUrl }: SessionCookieOptions) {
    this.#isAlwaysSecure = publicUrl?.startsWith('https:') ?? false
    this.name = this.#isAlwaysSecure ? `__Host-${NAME}` : NAME
  }

  /** The cookie's value; undefined without one. */
  read({ headers }: Request): string | undefined {
    const cookies = (headers.get('cookie') ?? '').split(';').map((each) => each.trim())
    return cookies.find((each) => each.startsWith(`${this.name}=`))?.slice(this.name.length + 1)
  }

  /** The value of `Set-Cookie` in the response to a request. */
  setting(request: Request, value: string, maxAgeMs: number): string {
    const isSecure = this.#isAlwaysSecure || isEncrypted(request)
    const parts = [
      `${this.name}=${value}`,
      'Path=/',
      `Max-Age=${maxAgeMs / 1_000}`,
      'HttpOnly',
      'SameSite=Lax',
    ]
    return [...parts, ...(isSecure ? ['Secure'] : [])].join('; ')
  }
}

/** As the browser sees it: a caller who lies about it only gets a less useful cookie. */
function isEncrypted({ url, headers }: Request): boolean {
  const forwarded = headers.get('x-forwarded-proto')?.split(',')[0]?.trim()
  const isPage = headers.get('origin')?.startsWith('https:') === true
  return url.startsWith('https:') || forwarded === 'https' || isPage
}
