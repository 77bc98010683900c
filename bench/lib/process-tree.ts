import { readdirSync, readFileSync } from 'node:fs'

/** Usage of a process and all its descendants. */
export interface TreeUsage {
  /** User and system time since their start, including ended children. Seconds. */
  cpuSeconds: number
  /** Proportional set size: shared memory counts once. Bytes. */
  memoryBytes: number
  /** Open descriptors. */
  descriptors: number
}

/** Clock ticks per second in /proc, on every Linux that Bun supports. */
const TICKS = 100

/**
 * Reads the usage of process trees. An ended process is still included in its parent's `cutime` and `cstime`.
 * @param roots process IDs; a tree inside another one counts once
 * @see https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
 */
export function usageOf(roots: readonly number[]): TreeUsage {
  const usage = { cpuSeconds: 0, memoryBytes: 0, descriptors: 0 }
  for (const pid of treeOf(roots)) {
    try {
      const fields = statOf(pid)
      // utime, stime, cutime, cstime: fields 14 to 17; the first field after the name is number 3.
      usage.cpuSeconds += fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS
      const pss = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))
      usage.memoryBytes += Number(pss?.[1] ?? 0) * 1024
      usage.descriptors += readdirSync(`/proc/${pid}/fd`).length
    } catch {
      // It ended meanwhile.
    }
  }
  return usage
}

/** The processes and all their descendants. */
function treeOf(roots: readonly number[]): Set<number> {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const parent = Number(statOf(Number(name))[1])
      children.set(parent, [...(children.get(parent) ?? []), Number(name)])
    } catch {
      // It ended meanwhile.
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

/** The fields after the name, which may contain spaces and parentheses; the first is the state. */
function statOf(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}
