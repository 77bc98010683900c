import { type Fields, fieldsOf } from '../../topology/input.ts'
import { readForm, readJson } from './input.ts'

/** Of a form or one activation. */
const MAX_FORM_BYTES = 65_536

/** The fields of a small body, sent by a form or as JSON. @throws Problem about a body that is neither. */
export async function readFields(request: Request, allowed: readonly string[]): Promise<Fields> {
  const isForm = request.headers.get('content-type')?.startsWith('application/x-www-form-urlencoded')
  const read = isForm ? readForm : readJson
  return fieldsOf(await read(request, MAX_FORM_BYTES), allowed)
}
