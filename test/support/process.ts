import { join } from 'node:path'
import { until } from './until.ts'

const ROOT = join(import.meta.dir, '../..')

/** Weir as people start it: a process with signals, output and a port. */
export interface WeirProcess {
  readonly child: Bun.Subprocess
  /** Its output so far, stdout and stderr. */
  output(): string
  /** Waits until it listens. */
  url(): Promise<string>
  /** Waits until it has exited. */
  ended(): Promise<{ code: number; output: string }>
}

/** Starts one; the caller ends it. */
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
