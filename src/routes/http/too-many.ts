import type { Problem } from '../../errors.ts'
import { refusal } from '../../proxy/errors.ts'
import { problemResponse } from './problems.tsx'

/** Refuses a request that is one too many, and says when to come back; a subscriber as its client understands it. */
export async function tooMany(
  request: Request,
  problem: Problem,
  { headers, isProxy }: { headers: Record<string, string>; isProxy: boolean },
): Promise<Response> {
  const response = isProxy ? refusal(problem, Date.now()) : await problemResponse(problem, request)
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
  return response
}
