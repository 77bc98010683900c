/** A response that isn't HTTP, as far as even a tolerant reader can tell. */
export class MalformedAnswer extends Error {
  override readonly name = 'MalformedAnswer'
  readonly code = 'MALFORMED_HTTP'
  /** @param why completes the sentence "The answer isn't valid HTTP:" */
  constructor(readonly why: string) {
    super(`The answer isn't valid HTTP: ${why}`)
  }
}

/** Status line and headers of a response. */
export interface Head {
  status: number
  statusText: string
  headers: Headers
}

/** `ICY` is how streaming servers for radio answer. The reason and the space before it may be missing. */
const STATUS_LINE = /^(?:HTTP\/\d(?:\.\d)?|ICY)[ \t]+(?<status>[1-9]\d{2})(?:[ \t]+(?<text>.*))?$/i
/** What no header value may have; bytes above ASCII are values like others. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are meant
const NOT_IN_VALUES = /[\0-\x08\x0a-\x1f\x7f]/g

/**
 * @param lines without their ends, in Latin-1: values are bytes
 * @throws MalformedAnswer if the first isn't a status line
 */
export function headOf([statusLine = '', ...lines]: readonly string[]): Head {
  const { status, text = '' } = STATUS_LINE.exec(statusLine)?.groups ?? {}
  if (status === undefined) throw new MalformedAnswer('it has no status line')
  const headers = new Headers()
  for (const line of unfolded(lines)) {
    const at = line.indexOf(':')
    if (at > 0) add(headers, line.slice(0, at).trim(), asValue(line.slice(at + 1)))
  }
  return { status: Number(status), statusText: asValue(text), headers }
}

function asValue(text: string): string {
  return text.replaceAll(NOT_IN_VALUES, ' ').trim()
}

/** A line that begins with white space continues the one before. @see https://www.rfc-editor.org/rfc/rfc9112#section-5.2 */
function unfolded(lines: readonly string[]): string[] {
  const whole: string[] = []
  for (const line of lines) {
    const last = whole.length - 1
    if (/^[ \t]/.test(line) && last >= 0) whole[last] += ` ${line.trim()}`
    else whole.push(line)
  }
  return whole
}

/** Leaves out a header with an invalid name, which nobody can ask for. */
function add(headers: Headers, name: string, value: string): void {
  try {
    headers.append(name, value)
  } catch {
    // As browsers do.
  }
}
