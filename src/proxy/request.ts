import { WORKER_HEADER } from '../limits/client.ts'
import type { Stream } from '../streams/ingest/run.ts'
import type { UpstreamRequest } from '../streams/ingest/upstream.ts'

/** The URL and token of Weir itself. */
export interface Self {
  url: string
  token: string | undefined
}

/** The request that follows a stream: its own or, for a stream that goes through the proxy, a request to the proxy. */
export function requestOf(stream: Stream, { url, token }: Self): UpstreamRequest {
  if (stream.via === null) return stream
  const query = new URLSearchParams({ intervalMs: String(stream.intervalMs) })
  if (stream.payloadPointer !== '') query.set('payloadPointer', stream.payloadPointer)
  for (const path of stream.ignorePaths) query.append('ignorePaths', path)
  for (const key of stream.arrayKeys) query.append('arrayKeys', key)
  // As a header, because the log shows the URL.
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
