import { callerOf } from '../../auth/caller.ts'
import type { Visibility } from '../../streams/registry/visibility.ts'

/** Patterns of all routes of one stream, in the API and on pages. */
const OF_STREAM = /^\/(api\/)?streams\/:id(\/|$)/

interface Routed {
  request: Request
  /** The route's pattern. */
  route: string
  params: unknown
}

/**
 * Checks that the stream in a request's path is visible to its caller. This covers all routes of a stream.
 * @throws Problem `not_found`
 */
export async function checkVisible(
  visibility: Visibility,
  { request, route, params }: Routed,
): Promise<void> {
  const { id } = (params ?? {}) as { id?: string }
  if (id !== undefined && OF_STREAM.test(route)) await visibility.check(callerOf(request), id)
}
