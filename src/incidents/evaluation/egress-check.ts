import { connect } from 'node:net'

/** Longest wait for one host, in milliseconds. */
const CONNECT_MS = 3_000
const DEFAULT_PORT = 443

/** Whether a connection to a host can be opened. */
export type CanConnect = (host: string, port: number) => Promise<boolean>

/**
 * Whether Weir gets out at all.
 * @param hosts `host` or `host:port`; one that answers is enough
 * @returns `undefined` where there is nothing to try
 */
export async function isOutside(
  hosts: readonly string[],
  canConnect: CanConnect = tcp,
): Promise<boolean | undefined> {
  if (hosts.length === 0) return undefined
  const tries = hosts.map(async (host) => {
    const [, name = host, port] = /^\[?([^\]]+?)\]?(?::(\d+))?$/.exec(host) ?? []
    if (!(await canConnect(name, Number(port ?? DEFAULT_PORT)))) throw new Error(`${host} can't be reached`)
    return true
  })
  return Promise.any(tries).catch(() => false)
}

function tcp(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const end = (isOpen: boolean) => {
      socket.destroy()
      resolve(isOpen)
    }
    socket.setTimeout(CONNECT_MS, () => end(false))
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}
