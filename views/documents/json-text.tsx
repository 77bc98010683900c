/**
 * Matches a string, with a colon if it is a key; a number; or a keyword. Truncated strings end at the end of their
 * line.
 */
const TOKEN = /("(?:[^"\\\n]|\\.)*(?:"|$))(\s*:)?|(-?\d[\w.+-]*)|\b(true|false|null)\b/gm

/** Colored JSON text, with its layout unchanged; anything that isn't JSON keeps the text color. */
export function JsonText({ text }: { text: string }) {
  const parts = []
  let end = 0
  for (const match of text.matchAll(TOKEN)) {
    const [whole, string, colon = '', number] = match
    parts.push(text.slice(end, match.index))
    const kind = string !== undefined ? (colon ? 'key' : 'string') : number !== undefined ? 'number' : 'word'
    parts.push(<span class={`json-${kind}`}>{string ?? whole}</span>, colon)
    end = match.index + whole.length
  }
  return (
    <>
      {parts}
      {text.slice(end)}
    </>
  )
}
