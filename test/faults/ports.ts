/** Below the ports that systems give to outgoing connections: nobody takes one while its service is down. */
const LEAST_PORT = 12_000
const MOST_PORT = 30_000
const TRIES = 100

/** The first of so many ports in a row that are free. */
export function freePorts(count: number): number {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const first = LEAST_PORT + Math.floor(Math.random() * (MOST_PORT - LEAST_PORT - count))
    if (Array.from({ length: count }, (_, index) => first + index).every(isFree)) return first
  }
  throw new Error(`There are no ${count} free ports in a row`)
}

function isFree(port: number): boolean {
  try {
    Bun.listen({ hostname: '127.0.0.1', port, socket: { data() {} } }).stop(true)
    return true
  } catch {
    return false
  }
}
