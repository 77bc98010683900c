import type { Totals } from '../../src/routes/transfer/import-report.ts'
import type { LineOutcome } from '../../src/transfer/item.ts'
import { Curl } from '../layout/curl.tsx'
import { type ForReader, Page } from '../layout/layout.tsx'

/** The outcome of each line of a file, or its preview. */
export interface ImportReportView {
  dryRun: boolean
  totals: Readonly<Totals>
  /** The lines that are shown. */
  lines: readonly LineOutcome[]
}

export interface ImportPageData {
  /** What was entered, if the form was sent without script. */
  values?: {
    text?: string
    tag?: string
    start?: string
    headers?: string
    params?: string
    server?: string
    cookies?: string
  }
  report?: ImportReportView
  error?: string
}

/** With the options of the form; the path of the file is relative to where the command is run. */
const IMPORT_PATH =
  '/api/streams/import?dryRun=false{&tag=tag}{&start=start}{&server=server}{&header=headers}{&param=params}{&cookies=cookies}'
/** Lines of a report that are shown, failed ones first. */
export const SHOWN = 200

/** Imports many streams from a file, after a preview. */
export function ImportPage({ reader, values, report, error }: ImportPageData & ForReader) {
  return (
    <Page
      reader={reader}
      title="Import streams"
      section="/streams"
      scripts={['views/streams/client/import.ts']}
    >
      <link rel="stylesheet" href="/assets/views/streams/streams.css" />
      <h1>Import streams</h1>
      <ImportForm values={values} report={report} error={error} />
      <ImportResults report={report} />
    </Page>
  )
}

function ImportForm({ values = {}, report, error }: ImportPageData) {
  return (
    <form
      id="import"
      class="panel stack"
      method="post"
      action="/streams/import"
      enctype="multipart/form-data"
    >
      <div class="drop" id="drop">
        <label for="import-file">Registrations file, OpenAPI document, or export of another program</label>
        <p>
          <input
            type="file"
            id="import-file"
            name="file"
            accept=".json,.ndjson,.jsonl,.csv,.tsv,.yaml,.yml,.har,.txt"
            aria-describedby="import-formats"
          />
        </p>
        <p class="muted" id="import-formats">
          JSON, NDJSON, CSV with a header row, or OpenAPI in JSON or YAML; a Postman collection, HAR, Uptime
          Kuma backup, changedetection.io export, or list of URLs. Up to 32 MiB.
        </p>
      </div>
      <details open={values.text !== undefined}>
        <summary>Or paste text</summary>
        <label>
          File contents
          <textarea name="text" rows={8} spellcheck={false}>
            {values.text ?? ''}
          </textarea>
        </label>
      </details>
      <ImportOptions {...values} />
      <fieldset id="import-secrets" class="import-options" hidden>
        <legend>Required secrets</legend>
      </fieldset>
      <p class="actions">
        <button type="submit" class="primary" name="dryRun" value="true">
          Preview
        </button>
        <button type="submit" name="dryRun" value="false" id="import-now">
          Import
        </button>
        <Curl path={IMPORT_PATH} file={['file', 'text']} does="import this file" />
      </p>
      <p id="import-result" role="status" class={error ? 'error' : undefined}>
        {error ?? (report && wordsOf(report))}
      </p>
      <progress id="import-progress" aria-label="Progress" hidden />
    </form>
  )
}

function ImportOptions({ tag, start, server, params, cookies }: NonNullable<ImportPageData['values']>) {
  return (
    <div class="import-options">
      <label>
        Tag
        <input name="tag" value={tag} maxlength={64} />
      </label>
      <label>
        New streams
        <select name="start">
          <option value="">Start, unless the file says otherwise</option>
          <option value="false" selected={start === 'false'}>
            Don't start, unless the file says otherwise
          </option>
        </select>
      </label>
      <label>
        OpenAPI server
        <input name="server" type="url" value={server} placeholder="https://api.example.com/v1" />
      </label>
      <label>
        Secret headers, one per line
        <textarea name="headers" rows={2} placeholder="Authorization: Bearer …" autocomplete="off" />
      </label>
      <label>
        Parameters and variables, one per line
        <textarea name="params" rows={2} placeholder="shopId=7">
          {params ?? ''}
        </textarea>
      </label>
      <label>
        Cookies of a HAR
        <select name="cookies">
          <option value="">Leave out</option>
          <option value="true" selected={cookies === 'true'}>
            Send
          </option>
        </select>
      </label>
    </div>
  )
}

/** The outcome of each line; the page's script fills it in during the import. */
function ImportResults({ report }: Pick<ImportPageData, 'report'>) {
  return (
    <section class="panel" id="import-report" aria-label="Import results" hidden={!report}>
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
  )
}

function ReportLine({
  line,
  outcome,
  url,
  name,
  droppedHeaders,
  problem,
  reason,
}: ImportReportView['lines'][number]) {
  return (
    <tr>
      <td class="number">{line}</td>
      <td class={outcome}>{outcome}</td>
      <td>
        {name ?? url}
        {droppedHeaders && <div class="error">Different origin: drops {droppedHeaders.join(', ')}.</div>}
        {problem && <div class="error">{problem.detail}</div>}
        {reason && <div class="muted">{reason}</div>}
      </td>
    </tr>
  )
}

function more({ totals, lines }: ImportReportView): number {
  return totals.lines - lines.length
}

function wordsOf({ dryRun, totals }: ImportReportView): string {
  const { created, updated, unchanged, skipped, failed } = totals
  const rest = `${unchanged} unchanged, ${skipped > 0 ? `${skipped} skipped, ` : ''}${failed} failed.`
  if (!dryRun) return `Imported: ${created} created, ${updated} updated, ${rest}`
  const streams = created === 1 ? 'stream' : 'streams'
  return `${created} ${streams} will be created, ${updated} updated. ${rest}`
}
