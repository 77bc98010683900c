import type { HttpFaults } from './faults.ts'

/** What the cookie of the gate looks like. */
const OPEN = 'gate=open'
/** Where a redirect leads, besides where it came from: text outside ASCII. */
const MARK = 'from=café'
/** Connections that are remembered; beyond that, all are forgotten. */
const MAX_CONNECTIONS = 1_000

/** The redirect that a request gets by the faults; `undefined` for none. */
export function redirectBy(request: Request, { cookieGate, rawLocation }: HttpFaults): Response | undefined {
  const { pathname, searchParams } = new URL(request.url)
  if (cookieGate && !request.headers.get('cookie')?.includes(OPEN)) {
    const headers = { Location: pathname, 'Set-Cookie': `${OPEN}; Path=/; HttpOnly` }
    return new Response(null, { status: 302, headers })
  }
  if (rawLocation === undefined || searchParams.has('from')) return undefined
  // Header values are bytes: each character is sent as one.
  const location = Buffer.from(`${pathname}?${MARK}`, rawLocation === 'utf8' ? 'utf8' : 'latin1').toString(
    'latin1',
  )
  return new Response(null, { status: 302, headers: { Location: location } })
}

/** Tells requests on a connection that has been used before, as far as ports tell connections apart. */
export class Connections {
  readonly #ports = new Set<number>()

  isReused(port: number | undefined): boolean {
    if (port === undefined) return false
    const isKnown = this.#ports.has(port)
    if (this.#ports.size >= MAX_CONNECTIONS) this.#ports.clear()
    this.#ports.add(port)
    return isKnown
  }
}
