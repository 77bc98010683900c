/** Endless or streamed responses. */
const STREAMED = /^(text\/event-stream|application\/x-ndjson)/

/**
 * The response to HEAD where GET returns a stream: only the headers. The router would read the whole stream to find its
 * length.
 * @returns undefined if the response needs no change
 */
export async function headOf(request: Request, answer: unknown): Promise<Response | undefined> {
  if (request.method !== 'HEAD' || !(answer instanceof Response)) return undefined
  const { status, headers, body } = answer
  if (!STREAMED.test(headers.get('content-type') ?? '') && !headers.has('content-disposition'))
    return undefined
  await body?.cancel().catch(() => {})
  return new Response(null, { status, headers })
}
