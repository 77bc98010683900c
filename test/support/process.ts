import { join } from 'node:path'
import { until } from './until.ts'

const ROOT = join(import.meta.dir, '../..')

/** Weir as people start it: a process, known by its signals, its output and its port. */
export interface WeirProcess {
  readonly child: Bun.Subprocess
  /** What it has printed so far, both streams. */
  output(): string
  /** Waits until it listens. */
  url(): Promise<string>
  /** Waits until it has ended. */
  ended(): Promise<{ code: number; output: string }>
}

/** Starts one; whoever does ends it. */
export function spawnWeir(environment: Record<string, string>): WeirProcess {
  const child = Bun.spawn(['bun', 'src/main.ts'], {
    cwd: ROOT,
    env: { ...process.env, BUN_CONFIG_MAX_HTTP_REQUESTS: '65336', PORT: '0', ...environment },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  let output = ''
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder()
    for await (const chunk of stream) output += decoder.decode(chunk, { stream: true })
  }
  const allRead = Promise.all([read(child.stdout), read(child.stderr)])
  return {
    child,
    output: () => output,
    url: () =>
      until('it listens', () =>
        /listening on (http:\S+)/.exec(output)?.[1]?.replace('localhost', '127.0.0.1'),
      ),
    async ended() {
      const code = await child.exited
      await allRead
      return { code, output }
    },
  }
}
