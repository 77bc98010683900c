import { hostname } from 'node:os'

/** A unique name that tells people where the worker runs. */
export function workerName(): string {
  return `${hostname()}:${process.pid}:${Math.random().toString(36).slice(2, 8)}`
}
