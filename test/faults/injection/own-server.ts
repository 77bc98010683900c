import { childrenOf, commandOf, signal } from '../child.ts'

/** Kills the database server that a Weir runs, or one of its sessions. */
export function crashServer(weir: number | undefined, which: 'server' | 'session'): void {
  const [server] = serverOf(weir)
  if (server === undefined) return
  const session = childrenOf(server).find((pid) => commandOf(pid)[0]?.startsWith('postgres: weir '))
  const pid = which === 'server' ? server : session
  if (pid !== undefined) signal(pid, 'SIGKILL')
}

/** Stops every process of it in its tracks: connections stay open, nothing answers. */
export async function freezeServer(weir: number | undefined, forMs: number): Promise<void> {
  const processes = serverOf(weir).flatMap((server) => [server, ...childrenOf(server)])
  for (const pid of processes) signal(pid, 'SIGSTOP')
  await Bun.sleep(forMs)
  for (const pid of processes) signal(pid, 'SIGCONT')
}

/** It is the child of the shell that watches it. */
function serverOf(weir: number | undefined): number[] {
  if (weir === undefined) return []
  return childrenOf(weir)
    .flatMap(childrenOf)
    .filter((pid) => commandOf(pid)[0]?.endsWith('/postgres'))
}
