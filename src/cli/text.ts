/** What a terminal would interpret or hide instead of showing: control characters, line breaks, text direction. */
const UNSAFE = /[\p{Cc}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\p{Cs}/gu
const SHORT: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** Untrusted text made safe for a terminal: characters that can't be shown are escaped. */
export function safe(text: string): string {
  return text.replace(UNSAFE, (char) => SHORT[char] ?? `\\u${hex(char)}`)
}

/** A value as one line of JSON that is safe for a terminal; parsing gives the same value. */
export function jsonLine(value: unknown): string {
  return safeJson(JSON.stringify(value))
}

/**
 * JSON text in one line, with numbers digit for digit. Line breaks occur only between tokens, where they mean
 * nothing.
 */
export function safeJson(json: string): string {
  return `${json.replace(/[\r\n\t]/g, ' ').replace(UNSAFE, (char) => `\\u${hex(char)}`)}\n`
}

function hex(char: string): string {
  return char.charCodeAt(0).toString(16).padStart(4, '0')
}

/** Width of a text in terminal columns. */
export function widthOf(text: string): number {
  return Bun.stringWidth(text)
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** The text, cut to a number of columns; an ellipsis marks the cut. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  let kept = ''
  let width = 0
  for (const { segment } of graphemes.segment(text)) {
    width += widthOf(segment)
    if (width > columns - 1) break
    kept += segment
  }
  return columns > 0 ? `${kept}…` : ''
}
