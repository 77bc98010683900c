import type { StreamFormData } from '../../../views/stream/edit.tsx'
import type { StatusView } from '../../../views/stream/stream.tsx'
import { HIDDEN } from '../../core/hidden.ts'
import type { ClientTls, Login } from '../../core/sets/request-options.ts'
import type { Stream } from '../../streams/ingest/run.ts'
import { registeredOptions, shownOptions } from '../../streams/registry/request-options.ts'

const SIGNS_IN = { oauth2: 'OAuth 2.0 client credentials', digest: 'HTTP Digest' } as const

type Values = Readonly<Record<string, string>>

/** The options of a stream as the form shows them: without secrets. */
export function optionValues(stream: Stream): Record<string, string> {
  const { cookies, repeatable, auth } = registeredOptions(stream, false)
  const { credentialsIn, scope, audience, ...login } = { ...auth } as Record<string, string>
  const { type = '', clientSecret: _secret, password: _password, ...names } = login
  return {
    cookies,
    ...(repeatable && { repeatable: 'yes' }),
    'auth.type': type,
    ...Object.fromEntries(
      Object.entries({ ...names, scope, audience }).map(([name, value]) => [`auth.${name}`, value ?? '']),
    ),
    ...(credentialsIn === 'body' && { 'auth.inBody': 'yes' }),
  }
}

/** What the form says of secrets: that they are there, and whose certificates there are. */
export function optionFacts(stream: Stream): Pick<StreamFormData, 'hasSecret' | 'tls'> {
  return { hasSecret: stream.auth?.login !== undefined, tls: shownOptions(stream).tls }
}

/** The same for the stream's page. */
export function accessFacts(
  stream: Pick<Stream, 'auth' | 'tls'>,
): Pick<StatusView, 'signsIn' | 'ownCertificates'> {
  const { auth, tls } = shownOptions(stream)
  const certificates = tls === null ? [] : [...(tls.certificate ? [tls.certificate] : []), ...tls.ca]
  return {
    signsIn: auth === null ? undefined : SIGNS_IN[auth.type],
    ownCertificates: certificates.map(({ subject, expiresAt }) => ({
      subject,
      expiresAt: new Date(expiresAt),
    })),
  }
}

/** The options in a form; secrets that are left empty stay. Empty for a form without them. */
export function optionsIn(stream: Stream, values: Values): Record<string, unknown> {
  if (values['auth.type'] === undefined) return {}
  return {
    cookies: values.cookies,
    repeatable: values.repeatable !== undefined,
    auth: loginIn(stream.auth?.login, values),
    tls: tlsIn(stream.tls, values),
  }
}

function loginIn(stored: Login | undefined, values: Values): Record<string, unknown> | null {
  const type = values['auth.type'] ?? ''
  if (type === '') return null
  const typed = (name: string) => values[`auth.${name}`]?.trim() ?? ''
  const given = (name: string) => (typed(name) === '' ? {} : { [name]: typed(name) })
  const secret = values['auth.secret'] || (stored?.type === type ? HIDDEN : '')
  if (type === 'digest') return { type, username: typed('username'), password: secret }
  const isExplicit = stored?.type === 'oauth2' && stored.credentialsIn !== undefined
  const inBody = values['auth.inBody'] !== undefined
  return {
    ...{ type, tokenUrl: typed('tokenUrl'), clientId: typed('clientId'), clientSecret: secret },
    ...given('scope'),
    ...given('audience'),
    ...((inBody || isExplicit) && { credentialsIn: inBody ? 'body' : 'header' }),
  }
}

function tlsIn(stored: ClientTls | null, values: Values): ClientTls | null {
  if (values['tls.remove'] !== undefined) return null
  const kept: ClientTls = { ...stored, ...(stored?.key !== undefined && { key: HIDDEN }) }
  const typed = (['certificate', 'key', 'ca'] as const).flatMap((name) => {
    const text = values[`tls.${name}`]?.trim() ?? ''
    return text === '' ? [] : [[name, `${text.replaceAll('\r\n', '\n')}\n`]]
  })
  const all: ClientTls = { ...kept, ...Object.fromEntries(typed) }
  return Object.keys(all).length === 0 ? null : all
}
