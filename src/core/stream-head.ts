import { SSE_HEADERS } from './sse.ts'

/** What the server adds to the headers of every event stream; only the lengths of the values matter. */
const ADDED = {
  Date: 'Thu, 01 Jan 1970 00:00:00 GMT',
  'Transfer-Encoding': 'chunked',
}

/** Status line and headers of a proxied stream as Weir sends them over HTTP/1.1: on a connection of its own, without CORS. */
export const STREAM_HEAD_BYTES = headBytes({ Vary: 'Origin' })
/** The same of a compressed stream. */
export const GZIP_STREAM_HEAD_BYTES = headBytes({
  'Content-Encoding': 'gzip',
  Vary: 'Accept-Encoding, Origin',
})

function headBytes(own: Readonly<Record<string, string>>): number {
  const headers = [...Object.entries(SSE_HEADERS), ...Object.entries(own), ...Object.entries(ADDED)]
  return ['HTTP/1.1 200 OK', ...headers.map(([name, value]) => `${name}: ${value}`), '\r\n'].join('\r\n')
    .length
}
