import net, { type Socket } from 'node:net'
import tls, { type ConnectionOptions } from 'node:tls'
import { isAddress } from './addresses.ts'

/** TLS options of a connection beyond those that verify its host. */
export type SocketTls = Pick<ConnectionOptions, 'checkServerIdentity' | 'ca' | 'cert' | 'key'>

export interface SocketOptions {
  signal?: AbortSignal | undefined
  tls?: SocketTls | undefined
}

/** Where a socket is to lead. */
export interface SocketTarget {
  /** The host that TLS verifies, and that a proxy resolves. */
  host: string
  port: number
  isSecure: boolean
}

/** Largest answer of a proxy to CONNECT, in bytes. */
const MAX_PROXY_ANSWER_BYTES = 16_384
const HEAD_END = '\r\n\r\n'

/**
 * A socket to one address of a host.
 * @throws what the connection fails with, or the signal's reason
 */
export async function openSocket(
  { host, port, isSecure }: SocketTarget,
  address: string,
  options: SocketOptions,
): Promise<Socket> {
  const socket = await opened(net.connect({ host: address, port }), 'connect', options.signal)
  return isSecure ? secured(socket, host, options) : socket
}

/**
 * A socket to a host through an HTTP proxy, which is asked for a tunnel, also without TLS.
 * @throws what the connection fails with, or the signal's reason
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4.1
 */
export async function openTunnel(
  { host, port, isSecure }: SocketTarget,
  proxy: string,
  options: SocketOptions,
): Promise<Socket> {
  const url = new URL(proxy)
  const isSecureProxy = url.protocol === 'https:'
  const proxyHost = bare(url.hostname)
  const toProxy = { host: proxyHost, port: Number(url.port) || (isSecureProxy ? 443 : 80) }
  const socket = await openSocket({ ...toProxy, isSecure: isSecureProxy }, proxyHost, {
    signal: options.signal,
  })
  try {
    const place = `${host.includes(':') ? `[${host}]` : host}:${port}`
    socket.write(`CONNECT ${place} HTTP/1.1\r\nHost: ${place}\r\n${authorization(url)}\r\n`)
    await expectTunnel(socket, options.signal)
    return isSecure ? await secured(socket, host, options) : socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

function secured(socket: Socket, host: string, { tls: more, signal }: SocketOptions): Promise<Socket> {
  // A server name must not be an address, but the certificate is verified for either.
  const named = isAddress(host) ? { host } : { host, servername: host }
  return opened(
    tls.connect({ socket, ...named, ALPNProtocols: ['http/1.1'], ...more }),
    'secureConnect',
    signal,
  )
}

/** Waits until a socket is open; it is closed if that fails. */
async function opened<S extends Socket>(
  socket: S,
  event: 'connect' | 'secureConnect',
  signal: AbortSignal | undefined,
): Promise<S> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onAbort = () => reject(signal?.reason)
  const onClose = () => reject(Object.assign(new Error('The connection closed'), { code: 'ECONNRESET' }))
  socket.once(event, resolve).once('error', reject).once('close', onClose)
  signal?.addEventListener('abort', onAbort)
  try {
    signal?.throwIfAborted()
    await promise
  } catch (error) {
    // A late error of a socket that nobody listens to would end the process.
    socket.on('error', () => {}).destroy()
    throw error
  } finally {
    signal?.removeEventListener('abort', onAbort)
    socket.off('error', reject).off('close', onClose)
  }
  return socket.on('error', () => {})
}

/** Reads the proxy's answer; what follows it belongs to the tunnel. */
async function expectTunnel(socket: Socket, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let head = Buffer.alloc(0)
  const onData = (chunk: Buffer) => {
    head = Buffer.concat([head, chunk])
    const end = head.indexOf(HEAD_END)
    if (end < 0 && head.byteLength <= MAX_PROXY_ANSWER_BYTES) return
    const status = /^HTTP\/1\.[01] (\d{3})/.exec(head.toString('latin1'))?.[1]
    if (end < 0 || !status?.startsWith('2')) {
      reject(Object.assign(new Error('The proxy refused'), { code: `PROXY_${status ?? 'UNREADABLE'}` }))
      return
    }
    socket.off('data', onData).pause()
    const rest = head.subarray(end + HEAD_END.length)
    if (rest.byteLength > 0) socket.unshift(rest)
    resolve()
  }
  const onClose = () => reject(Object.assign(new Error('The proxy closed'), { code: 'ECONNRESET' }))
  const onAbort = () => reject(signal?.reason)
  socket.on('data', onData).once('close', onClose)
  signal?.addEventListener('abort', onAbort)
  try {
    signal?.throwIfAborted()
    await promise
  } finally {
    socket.off('data', onData).off('close', onClose)
    signal?.removeEventListener('abort', onAbort)
  }
}

function authorization({ username, password }: URL): string {
  if (username === '' && password === '') return ''
  const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`)
  return `Proxy-Authorization: Basic ${credentials.toString('base64')}\r\n`
}

function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '')
}
