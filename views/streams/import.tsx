import { Curl } from '../layout/curl.tsx'
import { Page } from '../layout/layout.tsx'

/** What was, or would be, done with each line of a file. */
export interface ImportReport {
  dryRun: boolean
  totals: { lines: number; created: number; unchanged: number; updated: number; failed: number }
  /** Those that are shown. */
  lines: readonly {
    line: number
    outcome: string
    url: string | null
    name?: string
    droppedHeaders?: readonly string[]
    problem?: { detail: string }
  }[]
}

export interface ImportPageData {
  /** What was given, where a form was sent without script. */
  values?: { text?: string; tag?: string; start?: string; headers?: string; params?: string; server?: string }
  report?: ImportReport
  error?: string
}

/** With the options that are typed in; a file is named as it is where the command is run. */
const IMPORT_PATH =
  '/api/streams/import?dryRun=false{&tag=tag}{&start=start}{&server=server}{&header=headers}{&param=params}'
/** Lines shown of a report, those that failed in front. */
export const SHOWN = 200

/** Many streams from a file: first what would be done, then doing it. */
export function ImportPage({ values = {}, report, error }: ImportPageData) {
  return (
    <Page title="Import streams" section="/streams" scripts={['views/streams/client/import.ts']}>
      <link rel="stylesheet" href="/assets/views/streams/streams.css" />
      <h1>Import streams</h1>
      <form
        id="import"
        class="panel stack"
        method="post"
        action="/streams/import"
        enctype="multipart/form-data"
      >
        <div class="drop" id="drop">
          <label for="import-file">A file of registrations, or an OpenAPI document</label>
          <p>
            <input
              type="file"
              id="import-file"
              name="file"
              accept=".json,.ndjson,.jsonl,.csv,.tsv,.yaml,.yml"
              aria-describedby="import-formats"
            />
          </p>
          <p class="muted" id="import-formats">
            JSON, NDJSON, CSV with field names in its first line, or OpenAPI 3 in JSON or YAML; at most 32
            MiB.
          </p>
        </div>
        <details open={values.text !== undefined}>
          <summary>Or paste it</summary>
          <label>
            Text of the file
            <textarea name="text" rows={8} spellcheck={false}>
              {values.text ?? ''}
            </textarea>
          </label>
        </details>
        <div class="import-options">
          <label>
            Tag for all
            <input name="tag" value={values.tag} maxlength={64} />
          </label>
          <label>
            New streams
            <select name="start">
              <option value="">start, unless the file says otherwise</option>
              <option value="false" selected={values.start === 'false'}>
                wait, unless the file says otherwise
              </option>
            </select>
          </label>
          <label>
            Server of an OpenAPI document
            <input name="server" type="url" value={values.server} placeholder="https://api.example.com/v1" />
          </label>
          <label>
            Secret headers, a line each
            <textarea name="headers" rows={2} placeholder="Authorization: Bearer …" autocomplete="off" />
          </label>
          <label>
            Parameters of an OpenAPI document
            <textarea name="params" rows={2} placeholder="shopId=7">
              {values.params ?? ''}
            </textarea>
          </label>
        </div>
        <fieldset id="import-secrets" class="import-options" hidden>
          <legend>The file needs these secrets</legend>
        </fieldset>
        <p class="actions">
          <button type="submit" class="primary" name="dryRun" value="true">
            Look what it would do
          </button>
          <button type="submit" name="dryRun" value="false" id="import-now">
            Import
          </button>
          <Curl path={IMPORT_PATH} file={['file', 'text']} does="do this import" />
        </p>
        <p id="import-result" role="status" class={error ? 'error' : undefined}>
          {error ?? (report && wordsOf(report))}
        </p>
        <progress id="import-progress" aria-label="Lines done" hidden />
      </form>
      <section class="panel" id="import-report" aria-label="What becomes of each line" hidden={!report}>
        <div class="table-scroll">
          <table class="import-lines">
            <thead>
              <tr>
                <th scope="col" class="number">
                  Line
                </th>
                <th scope="col">Outcome</th>
                <th scope="col">Stream</th>
              </tr>
            </thead>
            <tbody id="import-lines">{report?.lines.map(ReportLine)}</tbody>
          </table>
        </div>
        <p class="muted" id="import-more">
          {report && more(report) > 0 && `And ${more(report)} more lines.`}
        </p>
      </section>
    </Page>
  )
}

function ReportLine({ line, outcome, url, name, droppedHeaders, problem }: ImportReport['lines'][number]) {
  return (
    <tr>
      <td class="number">{line}</td>
      <td class={outcome}>{outcome}</td>
      <td>
        {name ?? url}
        {droppedHeaders && <div class="error">Another origin: drops {droppedHeaders.join(', ')}.</div>}
        {problem && <div class="error">{problem.detail}</div>}
      </td>
    </tr>
  )
}

function more({ totals, lines }: ImportReport): number {
  return totals.lines - lines.length
}

function wordsOf({ dryRun, totals }: ImportReport): string {
  const { created, updated, unchanged, failed } = totals
  const start = dryRun ? 'Nothing is done yet. It would be: ' : 'Imported: '
  return `${start}${created} created, ${updated} updated, ${unchanged} unchanged, ${failed} failed.`
}
