import { join } from 'node:path'

export const ROOT = join(import.meta.dir, '../..')

/** A child process with a line protocol: each line of JSON is answered by a line of JSON. */
export interface Child {
  readonly pid: number
  /**
   * Sends a question; one at a time.
   * @throws Error if it ends instead of answering
   */
  ask<T>(question: unknown): Promise<T>
  /** The first line of its output that matches, including earlier ones. */
  said(pattern: RegExp): Promise<RegExpExecArray>
  /** Sends a signal and waits for its exit. */
  end(signal?: NodeJS.Signals): Promise<void>
}

/** Lines of output kept for `said` and for error messages. */
const MAX_LINES = 200

/** Starts a process; it is killed when the scope ends. */
export function startChild(
  command: readonly string[],
  scope: AsyncDisposableStack,
  environment: Record<string, string> = {},
): Child {
  const child = Bun.spawn([...command], {
    cwd: ROOT,
    env: { ...process.env, BUN_CONFIG_MAX_HTTP_REQUESTS: '65336', ...environment },
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const lines: string[] = []
  let heard = Promise.withResolvers<void>()
  let answer: PromiseWithResolvers<unknown> | undefined
  let hasEnded = false
  const hear = (line: string) => {
    if (line.startsWith('{') && answer !== undefined) {
      answer.resolve(JSON.parse(line))
      answer = undefined
      return
    }
    lines.push(line)
    if (lines.length > MAX_LINES) lines.shift()
    heard.resolve()
    heard = Promise.withResolvers()
  }
  const failure = () => new Error(`${command.join(' ')} has ended:\n${lines.join('\n')}`)
  void readLines(child.stdout, hear)
  void readLines(child.stderr, hear)
  void child.exited.then(() => {
    hasEnded = true
    answer?.reject(failure())
    heard.resolve()
  })
  const end = async (signal: NodeJS.Signals = 'SIGKILL') => {
    child.kill(signal)
    await child.exited
  }
  scope.defer(() => end())
  return {
    pid: child.pid,
    end,
    async ask<T>(question: unknown) {
      if (hasEnded) throw failure()
      const asked = Promise.withResolvers<unknown>()
      answer = asked
      await Promise.all([child.stdin.write(`${JSON.stringify(question)}\n`), child.stdin.flush()])
      return (await asked.promise) as T
    },
    async said(pattern) {
      for (;;) {
        for (const line of lines) {
          const match = pattern.exec(line)
          if (match !== null) return match
        }
        if (hasEnded) throw failure()
        await heard.promise
      }
    },
  }
}

/** Lines of a byte stream, without line endings. */
export async function readLines(
  stream: ReadableStream<Uint8Array>,
  hear: (line: string) => void,
): Promise<void> {
  let rest = ''
  const decoder = new TextDecoder()
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') hear(line)
  }
  if (rest !== '') hear(rest)
}
