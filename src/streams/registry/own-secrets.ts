import { HIDDEN } from '../../core/hidden.ts'

/** Hiding shorter values would hide too much that isn't secret: `1`, `json`, `gzip`. */
const MIN_SECRET_CHARS = 8

/** Hides a stream's header values in a text: some services repeat what they were sent. */
export type Hide = (text: string) => string

/** For `Bearer abc`, `abc` is hidden as well. */
export function hideValues(headers: Readonly<Record<string, string>>): Hide {
  const secrets = Object.values(headers)
    .flatMap((value) => [value, value.slice(value.indexOf(' ') + 1)].map((each) => each.trim()))
    .filter((value) => value.length >= MIN_SECRET_CHARS)
  return (text) => secrets.reduce((shown, secret) => shown.replaceAll(secret, HIDDEN), text)
}
