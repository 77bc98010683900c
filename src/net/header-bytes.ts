import { isUtf8 } from 'node:buffer'

/**
 * A header value as the runtime has to be given it. Values are bytes, and the runtime sends each character as one: text
 * is sent in UTF-8, as browsers send IDs of events and nearly all servers read values.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#the-last-event-id-header
 */
export function sentValue(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/**
 * The URL reference in a `Location` header, whose value is bytes: in UTF-8, or else with every byte above ASCII escaped,
 * as browsers read it.
 */
export function locationIn(value: string): string {
  const bytes = Buffer.from(value, 'latin1')
  if (isUtf8(bytes)) return bytes.toString('utf8')
  return value.replace(/[\x80-\xff]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}
