/** Longest excerpt of an answer's body, in characters. */
const EXCERPT_CHARS = 200
/** How much of a body is searched for it, in characters. */
const SEARCHED_CHARS = 4_096

/** The beginning of an answer's body in one line; of an HTML page, its text. */
export function excerptOf(body: string): string {
  const start = body.slice(0, SEARCHED_CHARS)
  const text = /^\s*<(!doctype|html)/i.test(start) ? textOfPage(start) : start
  const line = text.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim()
  return line.length > EXCERPT_CHARS ? `${line.slice(0, EXCERPT_CHARS).toWellFormed()}…` : line
}

/** A failure in one line: its message, and what the upstream said. */
export function failureText({ message, body }: { message: string; body?: string | undefined }): string {
  return body === undefined || body === '' ? message : `${message.replace(/\.$/, '')}: ${body}`
}

/** What the data of an `error` entry says in one line; undefined for data that isn't one. */
export function failureSentence(data: unknown): string | undefined {
  if (typeof data !== 'object' || data === null) return undefined
  const { message, body } = data as { message?: unknown; body?: unknown }
  if (typeof message !== 'string') return undefined
  return failureText({ message, body: typeof body === 'string' ? excerptOf(body) : undefined })
}

function textOfPage(html: string): string {
  return html
    .replaceAll(/<(script|style)\b[\s\S]*?(<\/\1\s*>|$)/gi, ' ')
    .replaceAll(/<[^<>]*>/g, ' ')
    .replace(/<[^<>]*$/, '')
}
