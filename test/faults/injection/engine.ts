import type { TestServer } from '../../support/servers.ts'
import { childrenOf, commandOf, isAlive, signal } from '../child.ts'

/** Longest wait for the children of a killed server to go by themselves, in milliseconds. */
const ORPHANS_MS = 3_000
const LOOK_EVERY_MS = 50

/** A database server that can be killed, frozen and brought back. */
export class Engine {
  readonly #server: TestServer
  readonly #port: string

  constructor(server: TestServer) {
    this.#server = server
    this.#port = new URL(server.url).port
  }

  get url(): string {
    return this.#server.url
  }

  /** Kills the server as a crash of it would, and starts it again later. */
  async kill(downMs: number): Promise<void> {
    const orphans = this.#processes().slice(1)
    await this.#server.kill()
    await Promise.all([Bun.sleep(downMs), leave(orphans)])
    await this.#server.restart()
  }

  /** Stops every process of the server in its tracks: connections stay open, nothing answers. */
  async freeze(forMs: number): Promise<void> {
    const processes = this.#processes()
    for (const pid of processes) signal(pid, 'SIGSTOP')
    await Bun.sleep(forMs)
    for (const pid of processes) signal(pid, 'SIGCONT')
  }

  /** Kills one connection's process, upon which Postgres throws out every other one and recovers. */
  async crashBackend(): Promise<void> {
    const backend = this.#processes()
      .slice(1)
      .find((pid) => commandOf(pid).some((word) => /^postgres: weir .* idle/.test(word)))
    if (backend !== undefined) signal(backend, 'SIGKILL')
  }

  /** The server, then its children. */
  #processes(): number[] {
    const server = childrenOf(process.pid).find((pid) => commandOf(pid).includes(this.#port))
    return server === undefined ? [] : [server, ...childrenOf(server)]
  }
}

/** Waits until the children of a killed server have noticed; a new one can't start on their shared memory. */
async function leave(orphans: readonly number[]): Promise<void> {
  const deadline = Date.now() + ORPHANS_MS
  while (orphans.some(isAlive) && Date.now() < deadline) await Bun.sleep(LOOK_EVERY_MS)
  for (const pid of orphans) signal(pid, 'SIGKILL')
}
