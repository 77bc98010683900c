import { Elysia } from 'elysia'
import { ImportPage, type ImportPageData, SHOWN } from '../../../views/streams/import.tsx'
import { Problem } from '../../errors.ts'
import { html } from '../http/html.ts'
import { readBytes } from '../http/input.ts'
import { shownOf } from './import-report.ts'
import { type Importer, MAX_IMPORT_BYTES, optionsOf, UPLOAD_SECONDS } from './transfer.ts'

/** What a form adds to the file that it sends, in bytes, at most. */
const FORM_BYTES = 1_048_576
/** A file up to this long, in characters, stands in the page that says what it would do, so that it needn't be chosen again. */
const MAX_KEPT_CHARS = 262_144

/** The page for importing, and what its form does without script. */
export function importPages({ imports }: { imports: Importer }) {
  return new Elysia({ detail: { hide: true } })
    .get('/streams/import', () => html(<ImportPage />))
    .post(
      '/streams/import',
      async ({ request, server }) => {
        const leave = await imports.enter(request)
        try {
          server?.timeout(request, UPLOAD_SECONDS)
          const form = await readMultipart(request)
          server?.timeout(request, 0)
          return await answer(form, await textIn(form), request.signal)
        } finally {
          leave()
        }
      },
      { parse: 'none' },
    )

  async function answer(form: FormData, text: string, signal: AbortSignal): Promise<Response> {
    const values = valuesOf(form, text)
    try {
      const options = optionsOf(asked(form))
      const report = await shownOf(await imports.run({ options, text, contentType: null }), signal, SHOWN)
      return await html(<ImportPage values={values} report={report} />)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      return html(<ImportPage values={values} error={error.detail} />, { status: error.status })
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
    throw new Problem('bad_request', 'This is not what the form of the page sends.')
  }
}

/** A file goes before text that was pasted. */
async function textIn(form: FormData): Promise<string> {
  const file = form.get('file')
  const isChosen = file instanceof Blob && file.size > 0
  return isChosen ? file.text() : field(form, 'text')
}

/** The request that a program would have made, without the file. */
function asked(form: FormData): Request {
  const query = new URLSearchParams({ dryRun: field(form, 'dryRun') === 'false' ? 'false' : 'true' })
  for (const name of ['tag', 'start', 'server'])
    if (field(form, name) !== '') query.set(name, field(form, name))
  for (const header of linesOf(field(form, 'headers'))) query.append('header', header)
  for (const param of linesOf(field(form, 'params'))) query.append('param', param)
  return new Request(`http://localhost/?${query}`)
}

/** What was given, to be shown again: all but secrets. */
function valuesOf(form: FormData, text: string): ImportPageData['values'] {
  const [tag, start, server, params] = ['tag', 'start', 'server', 'params'].map((name) => field(form, name))
  return { text: text.length > MAX_KEPT_CHARS ? undefined : text, tag, start, server, params }
}

function field(form: FormData, name: string): string {
  const value = form.get(name)
  return typeof value === 'string' ? value.trim() : ''
}

function linesOf(text: string): string[] {
  return text.split('\n').flatMap((line) => line.trim() || [])
}
