import { readdirSync, readFileSync } from 'node:fs'

/** What a process and all that it started have used, and hold. */
export interface TreeUsage {
  /** User and system time since their starts, ended children included. Seconds. */
  cpuSeconds: number
  /** Proportional set size: memory that processes share is counted once in all. Bytes. */
  memoryBytes: number
  /** Open descriptors. */
  descriptors: number
}

/** Clock ticks a second, as /proc counts them on every Linux that Bun runs on. */
const TICKS = 100

/**
 * Reads what process trees use. Of a process that ended, its parent's `cutime` and `cstime` still tell.
 * @param roots process ids; a tree inside of another one counts once
 * @see https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
 */
export function usageOf(roots: readonly number[]): TreeUsage {
  const usage = { cpuSeconds: 0, memoryBytes: 0, descriptors: 0 }
  for (const pid of treeOf(roots)) {
    try {
      const fields = statOf(pid)
      // utime, stime, cutime, cstime: the fields 14 to 17, of which the first after the name is the third.
      usage.cpuSeconds += fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS
      const pss = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))
      usage.memoryBytes += Number(pss?.[1] ?? 0) * 1024
      usage.descriptors += readdirSync(`/proc/${pid}/fd`).length
    } catch {
      // It ended while it was looked at.
    }
  }
  return usage
}

/** The processes and everything below them. */
function treeOf(roots: readonly number[]): Set<number> {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const parent = Number(statOf(Number(name))[1])
      children.set(parent, [...(children.get(parent) ?? []), Number(name)])
    } catch {
      // It ended while it was looked at.
    }
  }
  const found = new Set<number>()
  const visit = (pid: number) => {
    if (found.has(pid)) return
    found.add(pid)
    for (const child of children.get(pid) ?? []) visit(child)
  }
  for (const root of roots) visit(root)
  return found
}

/** The fields after the name, which may hold spaces and parentheses: the process' state is the first. */
function statOf(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}
