/** Answers without an end, or made as they are read. */
const STREAMED = /^(text\/event-stream|application\/x-ndjson)/

/**
 * The answer to HEAD where the one to GET is a stream: its head, with the stream ended. The router would read it to its
 * end for its length.
 * @returns undefined for what stays as it is
 */
export async function headOf(request: Request, answer: unknown): Promise<Response | undefined> {
  if (request.method !== 'HEAD' || !(answer instanceof Response)) return undefined
  const { status, headers, body } = answer
  if (!STREAMED.test(headers.get('content-type') ?? '') && !headers.has('content-disposition'))
    return undefined
  await body?.cancel().catch(() => {})
  return new Response(null, { status, headers })
}
