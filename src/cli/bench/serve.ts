import type { Fanout } from '../command.ts'
import { linesOf } from '../lines.ts'
import { PollingServer } from './polling-server.ts'
import type { Ask, Load, Measured, ServerKind } from './protocol.ts'
import { StreamingServer } from './streaming-server.ts'

/** A server on a free port of this machine. */
export interface BenchedServer {
  readonly url: string
  answer(ask: Exclude<Ask, Load>): Promise<Measured>
  stop(): void
}

export interface ServeDeps {
  /** Asks, one per line; the server ends with it, and so with the process that started it. */
  input: ReadableStream<Uint8Array>
  write(line: string): Promise<void>
  fanout: () => Promise<Fanout>
}

/** Runs one server until its input ends. */
export async function serveBench(kind: ServerKind, { input, write, fanout }: ServeDeps): Promise<void> {
  let server: BenchedServer | undefined
  try {
    for await (const line of linesOf(input)) {
      const ask = JSON.parse(line) as Ask
      if (ask.do === 'load') server = await open(kind, ask, fanout)
      const measured = ask.do === 'load' ? { cpuMs: 0, url: server?.url } : await server?.answer(ask)
      await write(`${JSON.stringify(measured)}\n`)
    }
  } finally {
    server?.stop()
  }
}

async function open(kind: ServerKind, load: Load, fanout: ServeDeps['fanout']): Promise<BenchedServer> {
  return kind === 'polling' ? new PollingServer(load) : new StreamingServer(load, await fanout())
}
