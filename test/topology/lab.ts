/** A service of a laboratory: what it is told to do wrong it only remembers. */
export function startLab(answer?: () => Response) {
  const lab = { faults: {} as Record<string, unknown>, asked: 0 }
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    reusePort: false,
    async fetch(request) {
      const { pathname } = new URL(request.url)
      if (pathname !== '/faults') return Response.json({ tree: TREE }, { status: 500 })
      lab.asked++
      if (answer !== undefined) return answer()
      if (request.method === 'DELETE') lab.faults = {}
      if (request.method === 'PUT') {
        const faults = (await request.json()) as Record<string, unknown>
        if (Number(faults.errorRate ?? 0) > 1) return Response.json(REFUSED, { status: 422 })
        lab.faults = faults
      }
      return Response.json(lab.faults)
    },
  })
  return Object.assign(lab, {
    url: `http://127.0.0.1:${server.port}/`,
    [Symbol.asyncDispose]: () => server.stop(true),
  })
}

const REFUSED = { code: 'invalid_field', field: 'errorRate', detail: 'errorRate: expected 0 to 1.' }
const TREE = {
  service: 'orders',
  status: 500,
  startedMs: 0,
  durationMs: 120,
  calls: [
    { service: '<b>payments', status: 200, startedMs: 5, durationMs: 50, calls: [] },
    {
      service: 'stock',
      status: 503,
      startedMs: 60,
      durationMs: 55,
      attempt: 2,
      error: 'refused',
      calls: [],
      leftOut: 3,
    },
  ],
}
