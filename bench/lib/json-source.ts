import type { Ask, Told } from '../subjects/json-source.ts'
import { startChild } from './child.ts'
import { freePort } from './sse-source.ts'

/** Addresses of the APIs of one source: separate hosts for their pollers. */
const HOSTS = 50

/** JSON APIs served by a separate process. */
export interface JsonSource {
  readonly urls: readonly string[]
  ask(what: Ask): Promise<Told>
}

/** @param bytes size of each document, which doesn't change until it is asked to */
export async function startJsonSource(
  { apis, bytes, seed }: { apis: number; bytes: number; seed: number },
  scope: AsyncDisposableStack,
): Promise<JsonSource> {
  const port = await freePort()
  const sizes = [port, HOSTS, apis, bytes, seed].map(String)
  const child = startChild(['bun', 'bench/subjects/json-source.ts', ...sizes], scope)
  await child.said(/listening/)
  return {
    urls: Array.from({ length: apis }, (_, at) => `http://127.0.1.${1 + (at % HOSTS)}:${port}/${at}`),
    ask: (what) => child.ask<Told>(what),
  }
}
