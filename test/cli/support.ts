import { join } from 'node:path'
import { run, type World } from '../../src/cli/run.ts'
import { until } from '../support/until.ts'

export const MAIN = join(import.meta.dir, '../../src/cli/main.ts')

export interface Ended {
  code: number
  out: string
  err: string
}

/** The program as people start it, and its output so far. */
export function spawnCli(args: readonly string[], environment: Record<string, string> = {}) {
  const { WEIR_URL: _, WEIR_TOKEN: __, NO_COLOR: ___, ...inherited } = process.env
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    env: { ...inherited, ...environment },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const output = { out: '', err: '' }
  const collect = async (stream: ReadableStream<Uint8Array>, name: 'out' | 'err') => {
    const decoder = new TextDecoder()
    for await (const chunk of stream) output[name] += decoder.decode(chunk, { stream: true })
  }
  const read = Promise.all([collect(child.stdout, 'out'), collect(child.stderr, 'err')])
  return {
    child,
    output,
    says: (what: RegExp, name: 'out' | 'err' = 'out') =>
      until(`it says ${what}; said so far: ${output[name]}`, () => what.test(output[name])),
    async ended(): Promise<Ended> {
      const code = await child.exited
      await read
      return { code, ...output }
    },
  }
}

/** Runs the program against a Weir, to its end. */
export function cliOf(url: string, environment: Record<string, string> = {}) {
  return (...args: string[]) => spawnCli(args, { WEIR_URL: url, ...environment }).ended()
}

/** Runs a command line in this process, as on a terminal of that width. */
export async function onTerminal(
  args: readonly string[],
  world: Partial<World> & { columns?: number; colors?: boolean },
): Promise<Ended> {
  const { columns = 80, colors = true, ...rest } = world
  const said = { out: '', err: '' }
  const output = (name: 'out' | 'err') => ({
    columns,
    colors,
    write: async (text: string) => {
      said[name] += text
    },
  })
  const code = await run(args, {
    url: undefined,
    token: undefined,
    out: output('out'),
    err: output('err'),
    stopped: new AbortController().signal,
    now: Date.now,
    self: [process.execPath, MAIN],
    ...rest,
  })
  return { code, ...said }
}

/** Each line of NDJSON. */
export function jsonLines<T = Record<string, unknown>>(text: string): T[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}
