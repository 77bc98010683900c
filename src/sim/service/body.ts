/**
 * Reads a body as UTF-8 text.
 * @returns `undefined` if it is longer than `maxBytes`; the rest is left unread
 * @throws TypeError if it isn't UTF-8, or whatever the connection fails with.
 */
export async function bodyText(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
): Promise<string | undefined> {
  if (body === null) return ''
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let text = ''
  let bytes = 0
  // Leaving the loop early cancels the stream.
  for await (const chunk of body) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) return undefined
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

/** The text as JSON; `undefined` if it isn't JSON. */
export function jsonOrUndefined(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch {
    return undefined
  }
}

/** The text as a JSON object; `undefined` if it isn't one. */
export function parseObject(text: string): Record<string, unknown> | undefined {
  const value = jsonOrUndefined(text)
  return isObject(value) ? value : undefined
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
