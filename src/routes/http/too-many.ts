import type { Problem } from '../../errors.ts'
import { refusal } from '../../proxy/errors.ts'
import { problemResponse } from './problems.tsx'

/** Rejects a request over the limit with Retry-After; subscribers to the proxy get an event stream. */
export async function tooMany(
  request: Request,
  problem: Problem,
  { headers, isProxy }: { headers: Record<string, string>; isProxy: boolean },
): Promise<Response> {
  const response = isProxy ? refusal(problem, Date.now()) : await problemResponse(problem, request)
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
  return response
}
