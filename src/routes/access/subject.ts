const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/i

/** The ID in the path, or that of the created resource. @param headers of the response */
export function subjectOf(
  params: Record<string, string> | undefined,
  headers: Headers | undefined,
): string | undefined {
  const inPath = params?.id ?? params?.['*']
  if (inPath !== undefined || headers === undefined) return inPath
  const made = headers.get('content-location') ?? headers.get('location') ?? headers.get('hx-redirect')
  return UUID.exec(made ?? '')?.[0]
}
