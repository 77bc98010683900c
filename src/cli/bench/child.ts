import { BenchError, type Io } from '../command.ts'
import { linesOf } from '../lines.ts'
import { type Ask, BENCH_SERVER, type Load, type Measured, type ServerKind } from './protocol.ts'

/** A server in a process of its own. */
export interface ServerProcess extends AsyncDisposable {
  readonly url: string
  /** One at a time. @throws BenchError if the process ends instead */
  ask(ask: Exclude<Ask, Load>): Promise<Measured>
}

/** Starts a server; it ends when disposed of, and when this process ends. */
export async function startServer(
  { self, stopped }: Pick<Io, 'self' | 'stopped'>,
  kind: ServerKind,
  load: Load,
): Promise<ServerProcess> {
  const child = Bun.spawn([...self, BENCH_SERVER, kind], { stdin: 'pipe', stdout: 'pipe', stderr: 'inherit' })
  const answers = linesOf(child.stdout)
  const ask = async (question: Ask): Promise<Measured> => {
    // If it has ended, so have its answers.
    const write = async () => {
      await child.stdin.write(`${JSON.stringify(question)}\n`)
      await child.stdin.flush()
    }
    await write().catch(() => {})
    const { value, done } = await answers.next()
    if (done) throw new BenchError('bench_failed', `The ${kind} server has ended unexpectedly.`)
    return JSON.parse(value) as Measured
  }
  const kill = () => child.kill('SIGKILL')
  const end = async () => {
    stopped.removeEventListener('abort', kill)
    kill()
    await child.exited
  }
  if (stopped.aborted) kill()
  else stopped.addEventListener('abort', kill, { once: true })
  try {
    const { url = '' } = await ask(load)
    return { url, ask, [Symbol.asyncDispose]: end }
  } catch (error) {
    await end()
    throw error
  }
}
