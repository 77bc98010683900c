import { isFields, type JsonObject } from '../fields.ts'
import { textOf } from './format.ts'

/** Where a request goes, before its variables are filled in. */
export interface Address {
  /** Without what {@link query} has. */
  text: string
  /** Parameters that are enabled, as `name=value`. */
  query: string[]
  /** Values of the path's variables, such as `:id`. */
  variables: [name: string, value: string][]
}

/** An address as text, or in parts. */
export function addressOf(url: unknown): Address {
  if (!isFields(url)) return { text: textOf(url).trim().split('#', 1)[0] ?? '', query: [], variables: [] }
  const { query, variable } = url
  const raw = textOf(url.raw).trim().split('#', 1)[0] ?? ''
  const text = raw === '' ? composed(url) : raw
  const [path = ''] = Array.isArray(query) ? text.split('?', 1) : [text]
  return {
    text: path,
    query: enabled(query).map(({ key, value }) =>
      value === null ? textOf(key) : `${textOf(key)}=${textOf(value)}`,
    ),
    variables: enabled(variable).map(({ key, value }) => [textOf(key), textOf(value)]),
  }
}

function enabled(list: unknown): JsonObject[] {
  return (Array.isArray(list) ? list : []).filter(isFields).filter(({ disabled }) => disabled !== true)
}

function composed({ protocol, host, port, path }: JsonObject): string {
  const scheme = textOf(protocol)
  const place = joined(host, '.')
  const at = textOf(port) === '' ? place : `${place}:${textOf(port)}`
  const rest = joined(path, '/')
  return `${scheme === '' ? '' : `${scheme.replace(/:\/*$/, '')}://`}${at}${rest === '' ? '' : `/${rest.replace(/^\//, '')}`}`
}

function joined(value: unknown, separator: string): string {
  if (!Array.isArray(value)) return textOf(value)
  return value.map((part) => (isFields(part) ? textOf(part.value) : textOf(part))).join(separator)
}
