import { Problem } from '../../errors.ts'

/** Whether a text can be an ID; Postgres would reject a query with anything else. */
export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
}

export function noStream(id: string): Problem {
  return new Problem('not_found', `Stream ${id.slice(0, 64)} not found.`)
}
