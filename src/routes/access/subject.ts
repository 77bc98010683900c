const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/i

/** The ID in the path, or that of the created resource. */
export function subjectOf(params: Record<string, string> | undefined, response: unknown): string | undefined {
  const inPath = params?.id ?? params?.['*']
  if (inPath !== undefined || !(response instanceof Response)) return inPath
  const { headers } = response
  const made = headers.get('content-location') ?? headers.get('location') ?? headers.get('hx-redirect')
  return UUID.exec(made ?? '')?.[0]
}
