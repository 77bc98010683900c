import { Problem } from '../errors.ts'
import { requireKind } from './rules.ts'
import type { CallReport, Report, ServiceReport } from './topology.ts'

/** Most items in a list of a report. */
const MAX_REPORTED = 500
/** How much of an unknown field's name is shown. */
const MAX_SHOWN_CHARS = 64

export type Fields = Readonly<Record<string, unknown>>

/**
 * The fields of a body that was parsed as JSON or as a form.
 * @param path Where the object is in the body, for objects in lists.
 * @throws Problem `invalid_json` if it isn't an object, `invalid_field` for a field that isn't `allowed`.
 */
export function fieldsOf(value: unknown, allowed: readonly string[], path?: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    if (path === undefined) throw new Problem('invalid_json', 'Expected a JSON object.')
    throw new Problem('invalid_field', 'Expected an object.', path)
  }
  for (const field of Object.keys(value)) {
    if (allowed.includes(field)) continue
    const name = field.slice(0, MAX_SHOWN_CHARS)
    const detail = `Unknown field. Allowed: ${allowed.join(', ')}.`
    throw new Problem('invalid_field', detail, path === undefined ? name : `${path}.${name}`)
  }
  return value as Fields
}

/** The text of a field; `otherwise` if it is left out. @throws Problem `invalid_field`. */
export function textField(fields: Fields, field: string, otherwise?: string): string {
  const value = fields[field] ?? otherwise
  if (typeof value !== 'string') throw new Problem('invalid_field', 'Expected a string.', field)
  return value
}

/** The checked body of `POST /api/topology`. @throws Problem `invalid_field`. */
export function parseReport(fields: Fields): Report {
  return {
    services: listOf(fields, 'services', serviceReport),
    calls: listOf(fields, 'calls', callReport),
  }
}

function serviceReport(value: unknown, path: string): ServiceReport {
  const fields = fieldsOf(value, ['id', 'name', 'url', 'kind', 'group'], path)
  const service: ServiceReport = { id: textAt(fields, 'id', path) }
  if (fields.name !== undefined) service.name = textAt(fields, 'name', path)
  if (fields.url !== undefined) service.url = textAt(fields, 'url', path)
  if (fields.kind !== undefined) service.kind = requireKind(textAt(fields, 'kind', path), `${path}.kind`)
  if (fields.group !== undefined) service.group = textAt(fields, 'group', path)
  return service
}

function callReport(value: unknown, path: string): CallReport {
  const fields = fieldsOf(value, ['from', 'to', 'status', 'durationMs'], path)
  const { status, durationMs } = fields
  const call: CallReport = { from: textAt(fields, 'from', path), to: textAt(fields, 'to', path) }
  if (status !== undefined) {
    if (typeof status !== 'number' || !Number.isInteger(status) || status < 100 || status > 599) {
      throw new Problem('invalid_field', 'Expected an HTTP status from 100 to 599.', `${path}.status`)
    }
    call.status = status
  }
  if (durationMs !== undefined) {
    if (typeof durationMs !== 'number' || !(durationMs >= 0 && Number.isFinite(durationMs))) {
      throw new Problem(
        'invalid_field',
        'Expected a duration in milliseconds, 0 or more.',
        `${path}.durationMs`,
      )
    }
    call.durationMs = durationMs
  }
  return call
}

function listOf<Item>(fields: Fields, field: string, parse: (value: unknown, path: string) => Item): Item[] {
  const list = fields[field] ?? []
  if (!Array.isArray(list) || list.length > MAX_REPORTED) {
    throw new Problem('invalid_field', `Expected a list of at most ${MAX_REPORTED} items.`, field)
  }
  return list.map((value, at) => parse(value, `${field}[${at}]`))
}

function textAt(fields: Fields, field: string, path: string): string {
  const value = fields[field]
  if (typeof value !== 'string') throw new Problem('invalid_field', 'Expected a string.', `${path}.${field}`)
  return value
}
