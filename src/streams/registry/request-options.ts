import { createPrivateKey, X509Certificate } from 'node:crypto'
import { Type } from '@sinclair/typebox'
import { HIDDEN } from '../../core/hidden.ts'
import type { ClientTls, CookieScope, Login, RequestOptions } from '../../core/sets/request-options.ts'
import { Problem } from '../../errors.ts'
import type { Stream } from '../ingest/run.ts'

/** A chain of certificates, or several authorities. */
const MAX_PEM_CHARS = 65_536
const MAX_TEXT_CHARS = 1_024

const secret = (description: string) => Type.String({ minLength: 1, maxLength: 4_096, description })
const text = (description: string) => Type.String({ minLength: 1, maxLength: MAX_TEXT_CHARS, description })
const pem = (description: string) => Type.String({ minLength: 1, maxLength: MAX_PEM_CHARS, description })

const OAuth2 = Type.Object(
  {
    type: Type.Literal('oauth2'),
    tokenUrl: Type.String({ maxLength: 8_192, description: 'URL of the token endpoint' }),
    clientId: text('Client ID'),
    clientSecret: secret('Client secret; never returned'),
    scope: Type.Optional(text('Scopes, separated by spaces')),
    audience: Type.Optional(text('Audience, if the token endpoint asks for one')),
    credentialsIn: Type.Optional(
      Type.Union([Type.Literal('header'), Type.Literal('body')], {
        default: 'header',
        description: 'Where the client ID and secret are sent',
      }),
    ),
  },
  { additionalProperties: false, description: 'OAuth 2.0 client credentials' },
)

const Digest = Type.Object(
  { type: Type.Literal('digest'), username: text('User name'), password: secret('Password; never returned') },
  { additionalProperties: false, description: 'HTTP Digest' },
)

/** The fields of a registration that say how requests are sent. */
export const OPTION_SCHEMAS = {
  cookies: Type.Union([Type.Literal('request'), Type.Literal('stream')], {
    default: 'request',
    description:
      'How long cookies that the upstream sets are kept: for one request with its redirects, or for the stream',
  }),
  repeatable: Type.Boolean({
    default: false,
    description: 'Whether a POST or PUT may be sent twice when its connection turns out to be dead',
  }),
  auth: Type.Union([OAuth2, Digest, Type.Null()], {
    description: 'How requests sign in; secrets are never returned; null: only with headers',
  }),
  tls: Type.Union(
    [
      Type.Object(
        {
          certificate: Type.Optional(pem('Client certificate, with its chain, in PEM')),
          key: Type.Optional(pem('Its private key in PEM, without a passphrase; never returned')),
          ca: Type.Optional(pem('Authorities to trust instead of the public ones, in PEM')),
        },
        { additionalProperties: false, minProperties: 1 },
      ),
      Type.Null(),
    ],
    { description: 'Client certificate and private certificate authorities; null: none' },
  ),
}

/** The same as given. */
export interface GivenOptions {
  cookies?: CookieScope
  repeatable?: boolean
  auth?: Login | null
  tls?: ClientTls | null
}

type Stored = Pick<Stream, 'auth' | 'tls'>

/**
 * Checks what the schemas can't express.
 * @param mayHide whether secrets may be their placeholder, because there are stored ones
 * @throws Problem `invalid_field`
 */
export function checkOptions({ auth, tls }: GivenOptions, mayHide: boolean): void {
  if (auth?.type === 'oauth2') checkTokenUrl(auth.tokenUrl)
  if (!mayHide && auth && secretOf(auth) === HIDDEN)
    throw refuse('auth', 'The secret is hidden. Set its value.')
  if (tls) checkTls(tls, mayHide)
}

/**
 * The columns for given options.
 * @param before the stored stream that they change; omitted for a new one
 * @throws Problem `invalid_field` for a hidden secret that isn't stored, and for a URL of another origin than the one that
 * stored credentials were given for
 */
export function optionColumns(
  given: GivenOptions,
  before?: Stored & Pick<Stream, 'url'>,
  url?: string,
): Partial<Stored> {
  if (before !== undefined) checkOrigin(given, before, url ?? before.url)
  const { cookies, repeatable, auth, tls } = given
  const isGiven = cookies !== undefined || repeatable !== undefined || auth !== undefined
  return {
    ...(isGiven && { auth: mergedOptions(before?.auth ?? null, given) }),
    ...(tls !== undefined && { tls: tls && revealedTls(tls, before?.tls ?? null) }),
  }
}

/** The options of a stream as a registration has them. @param hasSecrets whether secrets are included */
export function registeredOptions({ auth, tls }: Stored, hasSecrets: boolean): Required<GivenOptions> {
  const { cookies = 'request', repeatable = false, login } = auth ?? {}
  const hidden = tls?.key === undefined ? tls : { ...tls, key: HIDDEN }
  return {
    ...{ cookies, repeatable },
    auth: login === undefined ? null : hasSecrets ? login : hiddenLogin(login),
    tls: hasSecrets ? tls : hidden,
  }
}

/** The options of a stream as anyone may see them: of certificates only whose they are, and until when they are valid. */
export function shownOptions(stream: Stored) {
  const { tls, ...options } = registeredOptions(stream, false)
  return { ...options, tls: tls && shownTls(tls) }
}

/** The same as {@link registeredOptions}, of a stream that equals a registration, whether its secrets are hidden or not. */
export function sameOptions(stream: Stored, given: GivenOptions): GivenOptions {
  const [hidden, whole] = [registeredOptions(stream, false), registeredOptions(stream, true)]
  return {
    ...hidden,
    auth: Bun.deepEquals(given.auth, whole.auth) ? whole.auth : hidden.auth,
    tls: Bun.deepEquals(given.tls, whole.tls) ? whole.tls : hidden.tls,
  }
}

/** What must not be seen anywhere. */
export function optionSecrets({ auth, tls }: Stored): string[] {
  return [auth?.login && secretOf(auth.login), tls?.key].filter((each) => each !== undefined)
}

function mergedOptions(
  before: RequestOptions | null,
  { cookies, repeatable, auth }: GivenOptions,
): RequestOptions | null {
  const merged = {
    cookies: cookies ?? before?.cookies,
    repeatable: repeatable ?? before?.repeatable,
    login: auth === undefined ? before?.login : (auth && revealedLogin(auth, before?.login)) || undefined,
  }
  const set: RequestOptions = {
    ...(merged.cookies === 'stream' && { cookies: 'stream' }),
    ...(merged.repeatable && { repeatable: true }),
    ...(merged.login !== undefined && { login: merged.login }),
  }
  return Object.keys(set).length === 0 ? null : set
}

/** Credentials were given for one origin; to send them to another, they have to be given again. */
function checkOrigin(given: GivenOptions, before: Stored & Pick<Stream, 'url'>, url: string): void {
  if (new URL(before.url).origin === new URL(url).origin) return
  const isKept = (field: 'auth' | 'tls', value: string | undefined) =>
    given[field] === undefined || (given[field] !== null && value === HIDDEN)
  const auth = before.auth?.login && isKept('auth', given.auth ? secretOf(given.auth) : undefined)
  const tls = before.tls !== null && isKept('tls', given.tls?.key)
  if (!auth && !tls) return
  const field = auth ? 'auth' : 'tls'
  throw refuse(
    field,
    `The new URL has another origin than the one that \`${field}\` was given for. Set \`${field}\` with its secrets in the same change, or to null.`,
  )
}

function revealedLogin(given: Login, stored: Login | undefined): Login {
  if (secretOf(given) !== HIDDEN) return given
  const isSame =
    stored?.type === given.type &&
    (given.type !== 'oauth2' ||
      (stored.type === 'oauth2' && new URL(stored.tokenUrl).origin === new URL(given.tokenUrl).origin))
  if (!isSame || stored === undefined)
    throw refuse('auth', 'There is no stored secret for this. Set its value.')
  return given.type === 'oauth2'
    ? { ...given, clientSecret: secretOf(stored) }
    : { ...given, password: secretOf(stored) }
}

function revealedTls(given: ClientTls, stored: ClientTls | null): ClientTls {
  if (given.key !== HIDDEN) return given
  if (stored?.key === undefined) throw refuse('tls', 'There is no stored private key. Set `key`.')
  const tls = { ...given, certificate: given.certificate ?? stored.certificate, key: stored.key } as ClientTls
  checkTls(tls, false)
  return tls
}

function secretOf(login: Login): string {
  return login.type === 'oauth2' ? login.clientSecret : login.password
}

function hiddenLogin(login: Login): Login {
  return login.type === 'oauth2' ? { ...login, clientSecret: HIDDEN } : { ...login, password: HIDDEN }
}

function checkTokenUrl(url: string): void {
  const target = URL.parse(url)
  if (target === null) throw refuse('auth', "`tokenUrl` isn't a valid URL.")
  if (target.protocol !== 'http:' && target.protocol !== 'https:')
    throw refuse('auth', '`tokenUrl` must be an http or https URL.')
  if (target.username !== '' || target.password !== '')
    throw refuse('auth', '`tokenUrl` must not contain credentials.')
}

function checkTls({ certificate, key, ca }: ClientTls, mayHide: boolean): void {
  const isKept = mayHide && key === HIDDEN
  if (ca !== undefined) for (const each of certificatesIn(ca)) parsedCertificate(each, 'ca')
  if (certificate === undefined && key === undefined) return
  if (isKept && certificate === undefined) return
  if (certificate === undefined || key === undefined)
    throw refuse('tls', 'A client certificate needs both `certificate` and `key`.')
  const parsed = certificatesIn(certificate).map((each) => parsedCertificate(each, 'certificate'))
  if (isKept) return
  if (!parsed[0]?.checkPrivateKey(privateKey(key)))
    throw refuse('tls', "`key` isn't the private key of `certificate`.")
}

function privateKey(key: string) {
  try {
    return createPrivateKey(key)
  } catch {
    throw refuse('tls', "`key` isn't a private key in PEM, or it has a passphrase.")
  }
}

function parsedCertificate(each: string, field: string): X509Certificate {
  try {
    return new X509Certificate(each)
  } catch {
    throw refuse('tls', `\`${field}\` isn't a certificate in PEM.`)
  }
}

/** The certificates in a text, or the whole text if there is none, which then isn't one. */
function certificatesIn(text: string): string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [text]
}

function shownTls({ certificate, ca }: ClientTls) {
  const shown = (each: string) => {
    const { subject, validTo } = new X509Certificate(each)
    return { subject: subject.replaceAll('\n', ', '), expiresAt: new Date(validTo).toISOString() }
  }
  return {
    certificate: certificate === undefined ? null : shown(certificatesIn(certificate)[0] ?? ''),
    ca: ca === undefined ? [] : certificatesIn(ca).map(shown),
  }
}

function refuse(field: string, detail: string): Problem {
  return new Problem('invalid_field', detail, field)
}
