/** A strong `Last-Modified` is at least this much older than the response, in milliseconds. */
const STRONG_MS = 1_000

/**
 * Whether the `Last-Modified` of a response tells one version from the next: what is written again within the same second
 * has the same date.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-8.8.2.2
 */
export function isStrong(headers: Headers): boolean {
  return timeOf(headers.get('date')) - timeOf(headers.get('last-modified')) >= STRONG_MS
}

/** NaN for anything but a date as HTTP writes it: the runtime takes `0` for a year. */
function timeOf(date: string | null): number {
  return date !== null && /^[A-Z][a-z]+,? .*\d\d:\d\d/.test(date) ? Date.parse(date) : Number.NaN
}

/** The validators of a response, for the next request. */
export function validatorsOf(headers: Headers): { etag?: string; lastModified?: string } {
  const lastModified = isStrong(headers) ? headers.get('last-modified') : null
  return { etag: headers.get('etag') ?? undefined, lastModified: lastModified ?? undefined }
}

/** The headers that ask for a body only if it differs from the last one. */
export function conditionsOf({ etag, lastModified }: { etag?: string; lastModified?: string }) {
  return {
    ...(etag !== undefined && { 'If-None-Match': etag }),
    ...(lastModified !== undefined && { 'If-Modified-Since': lastModified }),
  }
}
