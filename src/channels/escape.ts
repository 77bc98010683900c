/**
 * Text as a service has to be sent it, up to a bound: a character either comes with all that it is written as, or not
 * at all.
 * @param escape what a character is written as
 * @param maxChars of the result, in UTF-16 units; where something is left out, an ellipsis stands for it
 */
export function escaped(text: string, escapeChar: (char: string) => string, maxChars: number): string {
  let result = ''
  let room = ''
  for (const char of text) {
    const written = escapeChar(char)
    if (result.length + written.length > maxChars) return `${room}…`
    result += written
    if (result.length < maxChars) room = result
  }
  return result
}

/** Up to that many bytes of UTF-8. */
export function cutBytes(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text
  const whole = Buffer.from(text).subarray(0, maxBytes - Buffer.byteLength('…'))
  return `${new TextDecoder().decode(whole, { stream: true })}…`
}

/** Keeps what is before from being read together with what follows, and isn't seen. */
export const ZERO_WIDTH_SPACE = '\u200b'
