import { until } from '../../support/until.ts'
import { childrenOf, commandOf, isAlive, signal } from '../child.ts'

/** A process and all that it has started, itself first. */
export function treeOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(treeOf)]
}

/** Stops a process and all that it has started in their tracks. @returns their IDs */
export function stopTree(pid: number): number[] {
  const stopped = new Set<number>()
  for (let found = treeOf(pid); found.some((each) => !stopped.has(each)); found = treeOf(pid)) {
    for (const each of found) {
      signal(each, 'SIGSTOP')
      stopped.add(each)
    }
  }
  return [...stopped]
}

/** Kills processes and waits until they are gone. */
export async function killAll(pids: readonly number[]): Promise<void> {
  for (const pid of pids) signal(pid, 'SIGKILL')
  await until('everything killed is gone', () => !pids.some(isAlive))
}

/** The database server that a Weir runs, if any; it is the child of the shell that watches it. */
export function serverOf(weir: number): number | undefined {
  return childrenOf(weir)
    .flatMap(childrenOf)
    .find((pid) => commandOf(pid)[0]?.endsWith('/postgres'))
}
