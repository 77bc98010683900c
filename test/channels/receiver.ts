import { startUpstream, type Upstream } from '../support/upstream.ts'

export interface Received {
  headers: Record<string, string>
  body: string
}

/** A real HTTP server that keeps what it is sent, by path. */
export interface Receiver {
  readonly upstream: Upstream
  /** Answers whatever comes there; 204 unless told. */
  take(path: string, answer?: (hits: number) => Response | Promise<Response>): string
  received(path: string): readonly Received[]
}

export function startReceiver(): Receiver {
  const upstream = startUpstream()
  const kept = new Map<string, Received[]>()
  return {
    upstream,
    take(path, answer = () => new Response(null, { status: 204 })) {
      return upstream.on(path, async (request, hits) => {
        const received = { headers: Object.fromEntries(request.headers), body: await request.text() }
        kept.set(path, [...(kept.get(path) ?? []), received])
        return answer(hits)
      })
    },
    received: (path) => kept.get(path) ?? [],
  }
}

/** Retries that a test needn't wait for. */
export const SOON = { retryDelaysMs: Array.from({ length: 11 }, () => 20), attemptMs: 5_000 }

export const SECRET = `whsec_${Buffer.from('a secret of thirty-two bytes, no more'.slice(0, 32)).toString('base64')}`
