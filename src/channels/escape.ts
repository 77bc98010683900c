/**
 * Escapes a text up to a bound: a character's escape sequence is never cut in half.
 * @param escape the escape sequence of a character
 * @param maxChars of the result, in UTF-16 units; an ellipsis stands for what is left out
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

/** Cuts a text to that many bytes of UTF-8. */
export function cutBytes(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text
  const whole = Buffer.from(text).subarray(0, maxBytes - Buffer.byteLength('…'))
  return `${new TextDecoder().decode(whole, { stream: true })}…`
}

/** An invisible separator: keeps the text before it from being parsed together with the text after it. */
export const ZERO_WIDTH_SPACE = '\u200b'
