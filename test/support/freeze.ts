import { readdirSync, readFileSync } from 'node:fs'
import { until } from './until.ts'

/**
 * Stops a process and its children, as an overloaded or suspended machine would; only Linux.
 * @returns lets them run again
 */
export async function freeze(pid: number): Promise<() => void> {
  process.kill(pid, 'SIGSTOP')
  await until('the process is stopped', () => stateOf(pid) === 'T')
  // With its parent stopped, it gets no new ones.
  const all = [pid, ...childrenOf(pid)]
  for (const each of all) signal(each, 'SIGSTOP')
  return () => {
    for (const each of all) signal(each, 'SIGCONT')
  }
}

/** The children of a process. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && fieldsOf(name)?.[1] === String(pid))
    .map(Number)
}

function stateOf(pid: number): string | undefined {
  return fieldsOf(String(pid))?.[0]
}

/** State, parent and so on: what follows the name, which may contain anything. */
function fieldsOf(pid: string): string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')
  } catch {
    return undefined
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended.
  }
}
