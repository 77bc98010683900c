import { createServer } from 'node:net'
import type { Ask, Told } from '../subjects/sse-source.ts'
import { startChild } from './child.ts'

/** Addresses of the streams of one source: separate hosts for their readers. */
const HOSTS = 50

/** Event streams served by a separate process. */
export interface SseSource {
  readonly urls: readonly string[]
  ask(what: Ask): Promise<Told>
}

export async function startSseSource(streams: number, scope: AsyncDisposableStack): Promise<SseSource> {
  const port = await freePort()
  const command = ['bun', 'bench/subjects/sse-source.ts', `${port}`, `${HOSTS}`, `${streams}`]
  const child = startChild(command, scope)
  await child.said(/listening/)
  return {
    urls: Array.from(
      { length: streams },
      (_, index) => `http://127.0.1.${1 + (index % HOSTS)}:${port}/${index}`,
    ),
    ask: (what) => child.ask<Told>(what),
  }
}

/** A port that is free on all addresses. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
