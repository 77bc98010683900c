import { readdirSync, readFileSync } from 'node:fs'

/** Ids of the processes whose parent is the given one. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => parentOf(candidate) === pid)
}

/** The words that a process was started with; empty when it is gone. */
export function commandOf(pid: number): string[] {
  return readProc(`${pid}/cmdline`).split('\0')
}

/** File descriptors that a process has open; `undefined` when it is gone. */
export function descriptorsOf(pid: number): number | undefined {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return undefined
  }
}

export function isAlive(pid: number): boolean {
  const state = statusFields(pid)[0]
  return state !== undefined && state !== 'Z'
}

/** Signals a process of ours; one that is gone already needs none. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {}
}

function parentOf(pid: number): number | undefined {
  const parent = statusFields(pid)[1]
  return parent === undefined ? undefined : Number(parent)
}

/** The fields after the name of a process, which may hold anything: its state first, then its parent. */
function statusFields(pid: number): string[] {
  const text = readProc(`${pid}/stat`)
  return text === '' ? [] : text.slice(text.lastIndexOf(')') + 2).split(' ')
}

function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, 'utf8')
  } catch {
    return ''
  }
}
