/** A string, with the colon that makes it a key; a number; a word. Strings that were cut off end with their line. */
const TOKEN = /("(?:[^"\\\n]|\\.)*(?:"|$))(\s*:)?|(-?\d[\w.+-]*)|\b(true|false|null)\b/gm

/** JSON text in colours, as it is laid out already; what isn't JSON keeps the colour of text. */
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
