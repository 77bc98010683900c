import { WORKER_HEADER } from '../limits/client.ts'
import type { Stream } from '../streams/ingest/run.ts'
import type { UpstreamRequest } from '../streams/ingest/upstream.ts'
import { OWN_PREFIX } from './target.ts'

/**
 * Names the twin that a request of Weir's own workers is for, instead of carrying the credentials of its polled stream.
 * Only whoever may read those anyway can use it.
 */
export const TWIN_HEADER = 'X-Weir-Twin'

/** The URL and token of Weir itself. */
export interface Self {
  url: string
  token: string | undefined
}

/** The request that follows a stream: its own or, for a stream that goes through the proxy, a request to the proxy. */
export function requestOf(stream: Stream, { url, token }: Self): UpstreamRequest {
  if (stream.via === null) return stream
  // One parameter with the prefix makes all those without it the target's.
  const own = (name: string) => (stream.select === '' ? name : `${OWN_PREFIX}${name}`)
  const query = new URLSearchParams({ [own('intervalMs')]: String(stream.intervalMs) })
  if (stream.select !== '') query.set(own('select'), stream.select)
  if (stream.payloadPointer !== '') query.set(own('payloadPointer'), stream.payloadPointer)
  for (const path of stream.ignorePaths) query.append(own('ignorePaths'), path)
  for (const key of stream.arrayKeys) query.append(own('arrayKeys'), key)
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
      ...(stream.twinOf !== null && { [TWIN_HEADER]: stream.id }),
      ...(forwarded.length > 0 && { 'X-Sd-Header': forwarded.join(', ') }),
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
    },
    body: null,
  }
}
