import type { ClientTls, CookieScope, Login } from '../core/sets/request-options.ts'
import { type Command, FileError, type Given, UsageError } from './command.ts'

/** How requests are sent, beyond headers. Secrets come from files: arguments are visible to others. */
export const REQUEST_OPTIONS: Command['options'] = {
  cookies: {
    value: 'SCOPE',
    choices: ['request', 'stream'],
    help: 'keep cookies for one request with its redirects, or for the stream (default: request)',
  },
  repeatable: { help: 'a POST or PUT may be sent twice when its connection turns out to be dead' },
  auth: { value: 'FILE', help: 'JSON file with `auth` as in the API: OAuth 2.0 or Digest' },
  cert: { value: 'FILE', help: 'client certificate in PEM, with --key' },
  key: { value: 'FILE', help: 'private key of the client certificate in PEM' },
  cacert: { value: 'FILE', help: 'certificate authorities to trust instead of the public ones, in PEM' },
}

/** What those options say. @throws FileError, UsageError */
export async function requestOptions(given: Given) {
  const cookies = given.text('cookies') as CookieScope | undefined
  const [auth, tls] = [await authIn(given.text('auth')), await tlsIn(given)]
  return {
    ...(cookies !== undefined && { cookies }),
    ...(given.has('repeatable') && { repeatable: true }),
    ...(auth !== undefined && { auth }),
    ...(tls !== undefined && { tls }),
  }
}

/** Its content is checked by Weir. */
async function authIn(path: string | undefined): Promise<Login | undefined> {
  if (path === undefined) return undefined
  const text = await textIn(path)
  try {
    return JSON.parse(text) as Login
  } catch {
    throw new UsageError([`--auth: ${path} isn't JSON`])
  }
}

async function tlsIn(given: Given): Promise<ClientTls | undefined> {
  const files = { certificate: given.text('cert'), key: given.text('key'), ca: given.text('cacert') }
  const named = Object.entries(files).filter((each): each is [string, string] => each[1] !== undefined)
  if (named.length === 0) return undefined
  return Object.fromEntries(
    await Promise.all(named.map(async ([name, path]) => [name, await textIn(path)] as const)),
  )
}

async function textIn(path: string): Promise<string> {
  const file = Bun.file(path)
  if (await file.exists()) return file.text()
  throw new FileError(`${path} doesn't exist or isn't readable.`)
}
