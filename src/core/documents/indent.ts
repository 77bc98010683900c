/** A string, closed or cut off by the text's end; a bracket or separator; a number or name. */
const TOKEN = /"[^"\\]*(?:\\[\s\S][^"\\]*)*(?:"|\\?$)|[[\]{},:]|[^\s"[\]{},:]+/g

/**
 * JSON text with a line for each member, for reading: numbers stay digit for digit, as nothing is parsed.
 * @param maxChars most characters taken of the text, and given back
 */
export function indentJson(text: string, maxChars: number): { text: string; cut: boolean } {
  const parts: string[] = []
  let chars = 0
  let depth = 0
  let opened = false
  const put = (part: string) => {
    parts.push(part)
    chars += part.length
  }
  for (const [token] of text.slice(0, maxChars).matchAll(TOKEN)) {
    const closes = token === '}' || token === ']'
    if (closes) depth--
    if (opened !== closes) put(newLine(depth))
    put(token)
    opened = token === '{' || token === '['
    if (opened) depth++
    if (token === ',') put(newLine(depth))
    if (token === ':') put(' ')
    if (chars > maxChars) break
  }
  return { text: parts.join('').slice(0, maxChars), cut: text.length > maxChars || chars > maxChars }
}

function newLine(depth: number): string {
  return `\n${'  '.repeat(Math.max(depth, 0))}`
}
