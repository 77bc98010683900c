import { WORKER_HEADER } from '../limits/client.ts'
import type { Stream } from '../streams/ingest/run.ts'
import type { Asked } from '../streams/ingest/upstream.ts'

/** Where a process reaches Weir's own pages and API, and what lets it in. */
export interface Self {
  url: string
  token: string | undefined
}

/** What is sent to follow a stream: its own request, or for one that goes through the proxy, what asks that for it. */
export function requestOf(stream: Stream, { url, token }: Self): Asked {
  if (stream.via === null) return stream
  const query = new URLSearchParams({ intervalMs: String(stream.intervalMs) })
  if (stream.payloadPointer !== '') query.set('payloadPointer', stream.payloadPointer)
  for (const path of stream.ignorePaths) query.append('ignorePaths', path)
  for (const key of stream.arrayKeys) query.append('arrayKeys', key)
  // As a header, and not in the URL, which the log shows.
  const forwarded = Object.entries(stream.headers).map(([name, value]) =>
    encodeURIComponent(`${name}: ${value}`),
  )
  return {
    url: `${url}/proxy/${encodeURIComponent(stream.url)}?${query}`,
    method: 'GET',
    headers: {
      'Accept-Encoding': 'gzip',
      [WORKER_HEADER]: '1',
      ...(forwarded.length > 0 && { 'X-Sd-Header': forwarded.join(', ') }),
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
    },
    body: null,
  }
}
