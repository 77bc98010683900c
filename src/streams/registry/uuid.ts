import { Problem } from '../../errors.ts'

/** Whether a text can be an id at all; Postgres would refuse a query with any other. */
export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
}

export function noStream(id: string): Problem {
  return new Problem('not_found', `There is no stream ${id.slice(0, 64)}.`)
}
