import { hasHeader, isFields, type JsonObject } from '../fields.ts'
import { basicAuth, textOf } from './format.ts'

export type PostmanAuth = JsonObject & { type: string }

/** What a request sends to be let in. */
interface Credentials {
  headers: [name: string, value: string][]
  query: [name: string, value: string][]
  /** Why it can't be sent. */
  reason?: string
}

/** Whether a value says how to authenticate; null inherits. */
export function isAuth(value: unknown): value is PostmanAuth {
  return isFields(value) && typeof value.type === 'string'
}

/**
 * @param given headers that the caller sends, instead of what the collection has
 * @param fill fills in variables: before credentials are encoded
 */
export function authOf(
  auth: PostmanAuth | undefined,
  given: Readonly<Record<string, string>>,
  fill: (text: string) => string,
): Credentials {
  const none: Credentials = { headers: [], query: [] }
  if (auth === undefined || auth.type === 'noauth') return none
  const said = valuesIn(auth[auth.type])
  const value = (name: string) => fill(said(name))
  const header = auth.type === 'apikey' ? said('key') : 'Authorization'
  if (hasHeader(given, header)) return none
  if (auth.type === 'bearer') return { ...none, headers: [[header, `Bearer ${value('token')}`]] }
  if (auth.type === 'basic') return { ...none, headers: [basicAuth(value('username'), value('password'))] }
  if (auth.type === 'apikey') {
    const pair: [string, string] = [value('key'), value('value')]
    return said('in') === 'query' ? { ...none, query: [pair] } : { ...none, headers: [pair] }
  }
  const reason = `Authentication ${auth.type.slice(0, 64)} can't be converted. Set ?header=Authorization: …`
  return { ...none, reason }
}

/** A list of keys and values, or, in older collections, an object. */
function valuesIn(list: unknown): (name: string) => string {
  if (isFields(list)) return (name) => textOf(list[name])
  const pairs = (Array.isArray(list) ? list : []).filter(isFields)
  return (name) => textOf(pairs.find(({ key }) => key === name)?.value)
}
