/** Close codes in words. @see https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number */
const CLOSE_CODE: Readonly<Record<number, string>> = {
  1000: 'normal closure',
  1001: 'going away',
  1002: 'protocol error',
  1003: 'unsupported data',
  1005: 'no code',
  1007: 'invalid data',
  1008: 'policy violation',
  1009: 'message too big',
  1010: 'missing extension',
  1011: 'internal error',
  1012: 'service restart',
  1013: 'try again later',
  1014: 'bad gateway',
}
/** A close frame without a code. */
export const NO_CODE = 1005
/** Codes of an upstream that is done, as opposed to one that fails. */
const CLEAN: ReadonlySet<number> = new Set([1000, 1001, NO_CODE])

export function isCleanClose(code: number): boolean {
  return CLEAN.has(code)
}

/** Whether a close frame may have this code. @see https://www.rfc-editor.org/rfc/rfc6455#section-7.4 */
export function isCloseCode(code: number): boolean {
  return (code !== NO_CODE && code in CLOSE_CODE) || (code >= 3_000 && code < 5_000)
}

/** `1011 (internal error)`; codes of an application have no words of their own. */
export function closeText(code: number, words: Readonly<Record<number, string>> = {}): string {
  const range = code >= 4_000 ? 'private' : 'application'
  return `${code} (${words[code] ?? CLOSE_CODE[code] ?? `a code for ${range} use`})`
}
