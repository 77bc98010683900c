/** The parts of a request that are sent. */
export interface SentRequest {
  method?: string | undefined
  headers?: ConstructorParameters<typeof Headers>[0]
  body?: unknown
  keepalive?: boolean | undefined
}

/** Headers that the runtime writes itself, whatever it is given. */
const WRITTEN_BY_RUNTIME = new Set(['content-length', 'transfer-encoding'])
const LINE_END_BYTES = 2

/**
 * Size of a request as the runtime writes it in HTTP/1.1, without a proxy: request line, headers, including those that
 * the runtime adds, and body. For a request with a `User-Agent` and without `decompress`, as Weir sends them.
 */
export function requestBytes(url: string, { method = 'GET', headers, body, keepalive }: SentRequest): number {
  const { pathname, search, host } = new URL(url)
  const sent = new Headers(headers)
  let bytes = lineBytes(`${method} ${pathname}${search} HTTP/1.1`) + LINE_END_BYTES
  sent.forEach((value, name) => {
    if (!WRITTEN_BY_RUNTIME.has(name)) bytes += headerBytes(name, value)
  })
  if (!sent.has('connection') && keepalive !== false) bytes += headerBytes('Connection', 'keep-alive')
  if (!sent.has('accept')) bytes += headerBytes('Accept', '*/*')
  if (!sent.has('host')) bytes += headerBytes('Host', host)
  const bodyBytes = typeof body === 'string' ? Buffer.byteLength(body) : 0
  if (bodyBytes > 0 || hasLength(method)) bytes += headerBytes('Content-Length', String(bodyBytes))
  return bytes + bodyBytes
}

/** Whether a request states its length even if it has no body. */
function hasLength(method: string): boolean {
  return method !== 'GET' && method !== 'HEAD'
}

function headerBytes(name: string, value: string): number {
  return lineBytes(`${name}: ${value}`)
}

/** Header values are bytes: each character is one. */
function lineBytes(line: string): number {
  return line.length + LINE_END_BYTES
}
