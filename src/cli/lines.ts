/** Longest line, in characters: an entry contains one body, whose size Weir limits. */
const MAX_LINE_CHARS = 268_435_456

/** The lines of a body as they arrive, without line endings. */
export async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > MAX_LINE_CHARS) throw new Error('A line of the answer is too long.')
    yield* lines
  }
  if (rest !== '') yield rest
}
