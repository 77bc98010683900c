import { hostname } from 'node:os'

/** A name no other worker has, that tells people where it runs. */
export function workerName(): string {
  return `${hostname()}:${process.pid}:${Math.random().toString(36).slice(2, 8)}`
}
