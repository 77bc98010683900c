/** A media type in lower case, without parameters, and its charset. */
export interface MediaType {
  /** `application/octet-stream` if none was sent. */
  type: string
  charset: string | undefined
}

const ESSENCE = /^[!#$%&'*+.^_`|~0-9a-z-]+\/[!#$%&'*+.^_`|~0-9a-z-]+$/
const CHARSET = /^\s*charset\s*=\s*"?([^\s";]+)/

/**
 * The media type in a Content-Type header. Of several, in one header or more, the last valid one counts.
 * @see https://fetch.spec.whatwg.org/#concept-header-extract-mime-type
 */
export function mediaTypeIn(contentType: string | null): MediaType {
  const sent = (contentType ?? '').toLowerCase()
  for (const text of sent.match(/(?:"(?:\\.|[^"\\])*"?|[^",])+/g)?.reverse() ?? []) {
    const [essence = '', ...parameters] = text.split(';')
    const type = essence.trim()
    if (!ESSENCE.test(type) || type === '*/*') continue
    const [, charset] = parameters.map((each) => CHARSET.exec(each)).find((found) => found !== null) ?? []
    return { type, charset }
  }
  return { type: 'application/octet-stream', charset: undefined }
}

/** Whether bodies of a media type are text. */
export function isTextType(type: string): boolean {
  return /^text\/|json|xml|javascript|yaml|csv|x-www-form-urlencoded/.test(type)
}

/** Whether a media type says that bodies are one JSON text. @see https://www.rfc-editor.org/rfc/rfc6839#section-3.1 */
export function isJsonType(type: string): boolean {
  return /[/+]json$/.test(type)
}
