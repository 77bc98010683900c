import { createServer } from 'node:net'
import type { Ask, Told } from '../subjects/sse-source.ts'
import { startChild } from './child.ts'

/** Addresses that the streams of one source lie on: hosts of their own for whoever reads them. */
const HOSTS = 50

/** Event streams to be read, in a process of their own. */
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

/** A port that nobody listens on now, on any address. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
