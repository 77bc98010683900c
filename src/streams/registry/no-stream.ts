import { Problem } from '../../errors.ts'

export function noStream(id: string): Problem {
  return new Problem('not_found', `Stream ${id.slice(0, 64)} not found.`)
}
