import { createServer, type Socket } from 'node:net'
import type { Random } from '../core/seeded.ts'
import { hostileAnswer } from './answers.ts'

/** Pieces of one answer come this far apart, in milliseconds, so that they arrive as pieces. */
const APART_MS = 1
/** A connection that is left hanging ends by itself after this, in milliseconds. */
const HANG_MS = 5_000

/** A server of raw sockets that speaks HTTP badly. */
export interface HostileUpstream {
  readonly origin: string
  readonly port: number
  /** Requests that it has answered. */
  readonly answered: () => number
  stop(): Promise<void>
}

export async function startHostileUpstream(random: Random): Promise<HostileUpstream> {
  let answered = 0
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.setTimeout(HANG_MS, () => socket.destroy())
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    let head = ''
    socket.on('data', (bytes) => {
      if (head === 'answered') return
      head += bytes.toString('latin1')
      if (!head.includes('\r\n\r\n')) return
      const path = head.split(' ')[1] ?? '/'
      head = 'answered'
      answered++
      void answer(socket, path)
    })
  })

  async function answer(socket: Socket, path: string): Promise<void> {
    const { pieces, ends } = hostileAnswer(random, path, origin)
    for (const piece of pieces) {
      if (socket.destroyed) return
      socket.write(piece)
      if (pieces.length < 100) await Bun.sleep(APART_MS)
    }
    if (ends === 'close') socket.end()
    if (ends === 'reset') socket.resetAndDestroy()
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const origin = `http://127.0.0.1:${port}`
  return {
    origin,
    port,
    answered: () => answered,
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
