import { connect } from 'node:net'

/** Longest wait for a response, in milliseconds: an event stream sends its head long before. */
const PATIENCE_MS = 20_000
/** How much of a response is read, in characters. */
const MAX_CHARS = 262_144

export interface RawRequest {
  method: string
  /** As written in the request line. */
  target: string
  /** Header lines, including `Host`. */
  headers: readonly string[]
  body?: string
}

export interface RawAnswer {
  /** 0: the connection was closed without a response. */
  status: number
  text: string
}

/** Sends a request byte by byte on its own connection; an event stream is closed after its head. */
export function sendRaw(
  base: string,
  { method, target, headers, body = '' }: RawRequest,
): Promise<RawAnswer> {
  const { hostname, port } = new URL(base)
  const lines = [`${method} ${target} HTTP/1.1`, ...headers, 'Connection: close']
  if (body !== '') lines.push(`Content-Length: ${Buffer.byteLength(body)}`)
  return new Promise((resolve) => {
    let got = ''
    const socket = connect(Number(port), hostname, () => socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`))
    socket.setEncoding('latin1')
    socket.setTimeout(PATIENCE_MS, () => socket.destroy())
    socket.on('data', (text: string) => {
      got += text
      // The first frame of an event stream is enough: the proxy reports refusals there.
      const isStream = /^content-type: text\/event-stream/im.test(got) && /\r\n\r\n[\s\S]*\n\n/.test(got)
      if (isStream || got.length > MAX_CHARS) socket.destroy()
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () =>
      resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(got)?.[1] ?? 0), text: got }),
    )
  })
}

/** A response without its head. */
export function bodyOf({ text }: RawAnswer): string {
  return text.slice(text.indexOf('\r\n\r\n') + 4)
}
