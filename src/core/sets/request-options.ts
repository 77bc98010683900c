/** Signing in with the client credentials of OAuth 2.0. @see https://www.rfc-editor.org/rfc/rfc6749#section-4.4 */
export interface OAuth2Login {
  type: 'oauth2'
  tokenUrl: string
  clientId: string
  clientSecret: string
  /** Scopes, separated by spaces. */
  scope?: string
  audience?: string
  /** Where the client's ID and secret are sent. Default: `header`. */
  credentialsIn?: 'header' | 'body'
}

/** Signing in with HTTP Digest. @see https://www.rfc-editor.org/rfc/rfc7616 */
export interface DigestLogin {
  type: 'digest'
  username: string
  password: string
}

export type Login = OAuth2Login | DigestLogin

/** How long cookies are kept: for a request with its redirects, or for as long as the stream. */
export type CookieScope = 'request' | 'stream'

/** How requests are sent, beyond headers; omitted ones have their default. */
export interface RequestOptions {
  cookies?: CookieScope
  /** Whether a request that isn't GET may be sent twice. */
  repeatable?: boolean
  login?: Login
}

/** In PEM: what proves who sends the requests, and whose certificates are trusted instead of the public authorities'. */
export interface ClientTls {
  certificate?: string
  key?: string
  ca?: string
}
