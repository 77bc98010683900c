import { type RequestFields, requestFieldsOf } from '../../topology/input.ts'
import { readForm, readJson } from './input.ts'

/** Maximum size of a form or an activation. */
const MAX_FORM_BYTES = 65_536

/** The fields of a small body, sent as a form or JSON. @throws Problem if the body is neither. */
export async function readFields(request: Request, allowed: readonly string[]): Promise<RequestFields> {
  const isForm = request.headers.get('content-type')?.startsWith('application/x-www-form-urlencoded')
  const read = isForm ? readForm : readJson
  return requestFieldsOf(await read(request, MAX_FORM_BYTES), allowed)
}
