import { HIDDEN } from '../../core/hidden.ts'

/** Shorter values hide too much of what is no secret: `1`, `json`, `gzip`. */
const MIN_SECRET_CHARS = 8

/** Hides in a text what a stream sends as header values: some services say back what they were sent. */
export type Hide = (text: string) => string

/** Of `Bearer abc`, `abc` alone is hidden too. */
export function hideValues(headers: Readonly<Record<string, string>>): Hide {
  const secrets = Object.values(headers)
    .flatMap((value) => [value, value.slice(value.indexOf(' ') + 1)].map((each) => each.trim()))
    .filter((value) => value.length >= MIN_SECRET_CHARS)
  return (text) => secrets.reduce((shown, secret) => shown.replaceAll(secret, HIDDEN), text)
}
