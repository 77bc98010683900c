import { connect } from 'node:net'
import { pick, type Random } from '../core/seeded.ts'
import { mutated, split } from './bytes.ts'
import type { FuzzRequest } from './requests.ts'

/** Whoever has no answer by then has found something that hangs, in milliseconds: far beyond every bound of Weir's. */
const PATIENCE_MS = 30_000
/** Read of one answer, in bytes: event streams don't end. */
const READ_BYTES = 65_536

/** What came of one request: an answer, or that it can't be sent by this client, or that nothing came. */
export type Outcome =
  | { kind: 'answer'; status: number; text: string }
  | { kind: 'unsendable' }
  | { kind: 'nothing'; why: string }

/** Sends what a client's library lets through, reads the beginning of the answer, and leaves. */
export async function send(base: string, { method, path, headers, body }: FuzzRequest): Promise<Outcome> {
  const left = new AbortController()
  const timer = setTimeout(() => left.abort(new Error('out of patience')), PATIENCE_MS)
  let request: Request
  try {
    const mayCarry = method !== 'GET' && method !== 'HEAD'
    const init = {
      method,
      headers,
      body: mayCarry ? (body as Uint8Array<ArrayBuffer> | undefined) : undefined,
    }
    request = new Request(base + path, init)
  } catch {
    clearTimeout(timer)
    return { kind: 'unsendable' }
  }
  try {
    const response = await fetch(request, { signal: left.signal, redirect: 'manual', decompress: false })
    const isLive = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false
    return { kind: 'answer', status: response.status, text: await beginning(response, isLive) }
  } catch (error) {
    return { kind: 'nothing', why: String(error) }
  } finally {
    clearTimeout(timer)
    left.abort()
  }
}

async function beginning(response: Response, isLive: boolean): Promise<string> {
  let text = ''
  const decoder = new TextDecoder()
  const reader = response.body?.getReader()
  while (reader !== undefined) {
    const { done, value } = await reader.read()
    if (done) return text
    text += decoder.decode(value, { stream: true })
    if (isLive || text.length > READ_BYTES) break
  }
  await reader?.cancel()
  return text
}

/** Sends what no library would: a head that was damaged, in pieces. What is answered, if anything, begins with a status. */
export async function sendRaw(base: string, request: FuzzRequest, random: Random): Promise<Outcome> {
  const { hostname, port } = new URL(base)
  const { method, path, headers, body = new Uint8Array() } = request
  const more = pick(random, [
    `Content-Length: ${body.length}`,
    'Content-Length: -1',
    'Content-Length: 5\r\nContent-Length: 6',
    'Transfer-Encoding: chunked',
    `Transfer-Encoding: chunked\r\nContent-Length: ${body.length}`,
    `X: ${'h'.repeat(20_000)}`,
    'Expect: 100-continue',
    'Upgrade: websocket\r\nConnection: Upgrade',
  ])
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  const verb = pick(random, [method, method, 'BREW', 'get', 'CONNECT', ''])
  const head = `${verb} ${path} HTTP/${pick(random, ['1.1', '1.0', '9.9'])}\r\nHost: ${hostname}:${port}\r\n`
  const whole = Buffer.concat([Buffer.from(`${head}${[...lines, more].join('\r\n')}\r\n\r\n`), body])
  const bytes = random() < 0.7 ? mutated(random, whole) : whole
  return new Promise((resolve) => {
    let text = ''
    const done = () => {
      const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]
      // To hang up on such a client, or to wait for the rest, is right as well.
      resolve(
        status === undefined ? { kind: 'unsendable' } : { kind: 'answer', status: Number(status), text },
      )
    }
    const socket = connect(Number(port), hostname, () => {
      for (const piece of split(random, bytes)) socket.write(piece)
    })
    socket.setTimeout(300, () => socket.destroy())
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      if (text.length > READ_BYTES) socket.destroy()
    })
    socket.on('error', () => {})
    socket.on('close', done)
  })
}
