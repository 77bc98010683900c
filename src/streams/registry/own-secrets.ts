import { HIDDEN } from '../../core/hidden.ts'
import { sentValue } from '../../net/header-bytes.ts'

/** Hiding shorter values would hide too much that isn't secret: `1`, `json`, `gzip`. */
const MIN_SECRET_CHARS = 8

/** Hides a stream's header values in a text: some services repeat what they were sent. */
export type Hide = (text: string) => string

/**
 * For `Bearer abc`, `abc` is hidden as well, and the password of Basic credentials; also as JSON strings have them, and as
 * the bytes of header values.
 * @param more further secrets, as they are
 */
export function hideValues(headers: Readonly<Record<string, string>>, more: readonly string[] = []): Hide {
  const values = Object.values(headers).flatMap((value) => {
    const credentials = value.slice(value.indexOf(' ') + 1).trim()
    return [value.trim(), credentials, ...basicSecrets(value, credentials)]
  })
  const secrets = [...new Set([...values, ...more])]
    .flatMap((value) => [value, sentValue(value), JSON.stringify(value).slice(1, -1)])
    .filter((value) => value.length >= MIN_SECRET_CHARS)
    .sort((a, b) => b.length - a.length)
  return (text) => secrets.reduce((shown, secret) => shown.replaceAll(secret, HIDDEN), text)
}

/** The password of Basic credentials, alone and with its user. */
function basicSecrets(value: string, credentials: string): string[] {
  if (!/^basic /i.test(value.trim())) return []
  const plain = Buffer.from(credentials, 'base64').toString()
  return [plain, plain.slice(plain.indexOf(':') + 1)]
}
