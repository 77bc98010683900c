import { readFile } from 'node:fs/promises'
import { type Command, EXIT, FileError, type Given, type Io, UsageError } from '../../command.ts'
import { say, sayJson } from '../../print.ts'
import { type Column, table } from '../../table.ts'
import { safe } from '../../text.ts'
import { headers, interval } from '../add.ts'

const MAX_BYTES = 33_554_432
/** Lines of the report that are printed; `--json` prints all. */
const SHOWN = 100

interface Report {
  dryRun: boolean
  totals: Record<'lines' | 'created' | 'unchanged' | 'updated' | 'skipped' | 'failed', number>
  lines: {
    line: number
    outcome: string
    url: string | null
    name?: string
    problem?: { detail: string }
    reason?: string
  }[]
}

const COLUMNS: readonly Column[] = [
  { title: 'line', alignRight: true },
  { title: 'outcome' },
  { title: 'stream', shrinks: true },
  { title: 'why', shrinks: true },
]

export const importFile: Command = {
  summary:
    'Import streams from a file: JSON, CSV, OpenAPI, Postman, HAR, Uptime Kuma, changedetection.io, URLs',
  takes: '<file|->',
  min: 1,
  max: 1,
  options: {
    'dry-run': { help: 'only report what would become of each line' },
    tag: { short: 't', value: 'TAG', help: 'tag to add to every stream' },
    'no-start': { help: "don't start new streams, unless the file says otherwise" },
    interval: { value: 'TIME', help: 'polling interval of new streams without one, such as 5s' },
    header: {
      short: 'H',
      value: "'NAME: VALUE'",
      multiple: true,
      help: 'value of a header that the file lacks',
    },
    param: { value: 'NAME=VALUE', multiple: true, help: 'value of a parameter or variable' },
    server: { value: 'URL', help: 'base URL of an OpenAPI document' },
    cookies: { help: 'send the cookies that a HAR recorded' },
  },
  examples: ['weir import shop.postman_collection.json --dry-run', 'weir import - --tag shop < urls.txt'],
  async run(given, io) {
    const body = await bytesOf(given.args[0] as string, io)
    const response = await io.client.open(`/api/streams/import?${queryOf(given)}`, { method: 'POST', body })
    const report = (await response.json()) as Report
    if (given.has('json')) await sayJson(io, report)
    else await sayReport(io, report)
    return report.totals.failed > 0 ? EXIT.refused : EXIT.ok
  },
}

async function bytesOf(path: string, io: Io): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = path === '-' ? await new Response(io.input?.() ?? null).bytes() : await fileAt(path)
  if (bytes.length > MAX_BYTES) throw new FileError(`${path} is larger than 32 MiB. Split it.`)
  return bytes
}

async function fileAt(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await readFile(path)
  } catch (error) {
    throw new FileError(`${path}: ${(error as Error).message}`)
  }
}

function queryOf(given: Given): URLSearchParams {
  const query = new URLSearchParams({ dryRun: String(given.has('dry-run')) })
  const intervalMs = interval(given.text('interval'))
  if (intervalMs !== undefined) query.set('intervalMs', String(intervalMs))
  if (given.has('no-start')) query.set('start', 'false')
  if (given.has('cookies')) query.set('cookies', 'true')
  for (const name of ['tag', 'server']) if (given.has(name)) query.set(name, given.text(name) as string)
  for (const [name, value] of Object.entries(headers(given.texts('header'))))
    query.append('header', `${name}: ${value}`)
  for (const param of given.texts('param')) {
    if (!param.includes('=')) throw new UsageError(['--param: expected NAME=VALUE'])
    query.append('param', param)
  }
  return query
}

async function sayReport(io: Io, { dryRun, totals, lines }: Report): Promise<void> {
  const rows = lines.slice(0, SHOWN).map(({ line, outcome, url, name, problem, reason }) =>
    [String(line), outcome, name ?? url ?? '', problem?.detail ?? reason ?? ''].map((text) => ({
      text: safe(text),
    })),
  )
  await io.out.write(table(COLUMNS, rows, io.out.columns))
  if (lines.length > SHOWN) await say(io, `And ${lines.length - SHOWN} more lines; --json prints all.`)
  const { created, updated, unchanged, skipped, failed } = totals
  const rest = `${unchanged} unchanged, ${skipped} skipped, ${failed} failed.`
  await say(
    io,
    dryRun
      ? `Would create ${created}, update ${updated}. ${rest}`
      : `Created ${created}, updated ${updated}. ${rest}`,
  )
}
