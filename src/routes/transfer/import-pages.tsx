import { Elysia } from 'elysia'
import { ImportPage, type ImportPageData, SHOWN } from '../../../views/streams/import.tsx'
import { Problem } from '../../errors.ts'
import { decodeFile } from '../../transfer/decode.ts'
import { readerOf } from '../access/reader.ts'
import { html } from '../http/html.ts'
import { readBytes } from '../http/input.ts'
import { readQuery } from '../http/query.ts'
import { shownOf } from './import-report.ts'
import { type Importer, ImportQuery, MAX_IMPORT_BYTES, optionsOf, UPLOAD_SECONDS } from './transfer.ts'

/** Maximum bytes that a form adds to its file. */
const FORM_BYTES = 1_048_576
/** A file up to this many characters is kept in the preview page, so that it needn't be chosen again. */
const MAX_KEPT_CHARS = 262_144

/** The import page, and its form for browsers without script. */
export function importPages({ imports }: { imports: Importer }) {
  return new Elysia({ detail: { hide: true } })
    .get('/streams/import', ({ request }) => html(<ImportPage reader={readerOf(request)} />))
    .post('/streams/import', async ({ request, server }) => {
      const leave = await imports.enter(request)
      try {
        server?.timeout(request, UPLOAD_SECONDS)
        const form = await readMultipart(request)
        server?.timeout(request, 0)
        return await answer(request, form, await textIn(form))
      } finally {
        leave()
      }
    })

  async function answer(request: Request, form: FormData, text: string): Promise<Response> {
    const values = valuesOf(form, text)
    try {
      const options = optionsOf(readQuery(asked(form).url, ImportQuery.parameters))
      const outcomes = await imports.run({ options, text, contentType: null })
      const report = await shownOf(outcomes, request.signal, SHOWN)
      return await html(<ImportPage reader={readerOf(request)} values={values} report={report} />)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      return html(<ImportPage reader={readerOf(request)} values={values} error={error.detail} />, {
        status: error.status,
      })
    }
  }
}

/** @throws Problem `bad_request`, `body_too_large` */
async function readMultipart(request: Request): Promise<FormData> {
  const bytes = await readBytes(request, MAX_IMPORT_BYTES + FORM_BYTES)
  const headers = { 'Content-Type': request.headers.get('content-type') ?? '' }
  try {
    return (await new Response(bytes as Uint8Array<ArrayBuffer>, { headers }).formData()) as FormData
  } catch {
    throw new Problem('bad_request', "The body isn't valid multipart/form-data.")
  }
}

/** A file takes precedence over pasted text. */
async function textIn(form: FormData): Promise<string> {
  const file = form.get('file')
  const isChosen = file instanceof Blob && file.size > 0
  return isChosen ? decodeFile(await file.bytes()) : field(form, 'text')
}

/** The equivalent API request, without the file. */
function asked(form: FormData): Request {
  const query = new URLSearchParams({ dryRun: field(form, 'dryRun') === 'false' ? 'false' : 'true' })
  for (const name of ['tag', 'start', 'server', 'cookies'])
    if (field(form, name) !== '') query.set(name, field(form, name))
  for (const header of linesOf(field(form, 'headers'))) query.append('header', header)
  for (const param of linesOf(field(form, 'params'))) query.append('param', param)
  return new Request(`http://localhost/?${query}`)
}

/** The entered values to show again, without secrets. */
function valuesOf(form: FormData, text: string): ImportPageData['values'] {
  const [tag, start, server, params, cookies] = ['tag', 'start', 'server', 'params', 'cookies'].map((name) =>
    field(form, name),
  )
  return { text: text.length > MAX_KEPT_CHARS ? undefined : text, tag, start, server, params, cookies }
}

function field(form: FormData, name: string): string {
  const value = form.get(name)
  return typeof value === 'string' ? value.trim() : ''
}

function linesOf(text: string): string[] {
  return text.split('\n').flatMap((line) => line.trim() || [])
}
