// Runs on the import page: accepts a dropped file, previews it, asks for missing secrets, and imports it with a progress
// bar.

import { readLines } from './ndjson.ts'

interface Totals {
  lines: number
  created: number
  unchanged: number
  updated: number
  skipped: number
  failed: number
}
interface Outcome {
  line: number
  outcome: keyof Totals
  url: string | null
  name?: string
  droppedHeaders?: string[]
  problem?: { detail: string; field?: string }
  reason?: string
}
interface End {
  totals: Totals
  problem?: { detail: string }
}

const MAX_BYTES = 33_554_432
/** Lines that are shown, failed ones first. */
const SHOWN = 200
const by = <E extends HTMLElement>(id: string) => document.getElementById(id) as E
const importForm = by<HTMLFormElement>('import')
const fileInput = by<HTMLInputElement>('import-file')
const drop = by('drop')
const secrets = by<HTMLFieldSetElement>('import-secrets')
const status = by('import-result')
const bar = by<HTMLProgressElement>('import-progress')
const now = by<HTMLButtonElement>('import-now')

const readValue = (name: string) =>
  (importForm.elements.namedItem(name) as HTMLInputElement | HTMLTextAreaElement).value.trim()

for (const name of ['dragenter', 'dragover']) {
  drop.addEventListener(name, (event) => {
    event.preventDefault()
    drop.classList.add('over')
  })
}
drop.addEventListener('dragleave', () => drop.classList.remove('over'))
drop.addEventListener('drop', (event) => {
  event.preventDefault()
  drop.classList.remove('over')
  const files = event.dataTransfer?.files
  if (!files?.length) return
  fileInput.files = files
  void run(true)
})
fileInput.addEventListener('change', () => void run(true))
importForm.addEventListener('submit', (event) => {
  event.preventDefault()
  void run(((event as SubmitEvent).submitter as HTMLButtonElement | null)?.value !== 'false')
})

/** Lines of the last preview, and whether a preview or an import is in progress. */
const state = { looked: 0, isRunning: false }

// A file that was chosen before this script ran.
if (fileInput.files?.length) void run(true)

async function run(dryRun: boolean): Promise<void> {
  const file = fileInput.files?.[0]
  const body = file ?? new Blob([readValue('text')])
  if (body.size === 0) return tell('Choose a file or paste its contents.', true)
  if (body.size > MAX_BYTES)
    return tell('The file is larger than 32 MiB. Split it and import the parts.', true)
  if (state.isRunning) return
  setRunning(true, dryRun)
  try {
    finish(dryRun, await send(dryRun, body))
  } catch (error) {
    tell((error as Error).message, true)
  } finally {
    setRunning(false, dryRun)
  }
}

async function send(dryRun: boolean, body: Blob): Promise<{ end: End; outcomes: Outcome[] }> {
  const outcomes: Outcome[] = []
  let end: End | undefined
  const response = await fetch(`/api/streams/import?${optionsOf(dryRun)}`, {
    method: 'POST',
    headers: { Accept: 'application/x-ndjson' },
    // Without the type that the browser guesses from the name: Weir looks at the content.
    body: body.slice(0, body.size, ''),
  })
  await readLines<Outcome | End>(response, (lines) => {
    for (const line of lines) {
      if ('totals' in line) end = line
      else outcomes.push(line)
    }
    if (state.looked > 0) bar.value = outcomes.length
    tell(`${outcomes.length.toLocaleString('en')} lines…`)
  })
  if (end === undefined || end.problem) {
    const so = `${outcomes.length} lines were processed. Import the same file again to continue.`
    throw new Error(`${end?.problem?.detail ?? 'The connection was lost.'} ${so}`)
  }
  return { end, outcomes }
}

function optionsOf(dryRun: boolean): URLSearchParams {
  const query = new URLSearchParams({ dryRun: String(dryRun) })
  for (const name of ['tag', 'start', 'server', 'cookies'])
    if (readValue(name) !== '') query.set(name, readValue(name))
  const given = [...secrets.querySelectorAll('input')].filter(({ value }) => value !== '')
  for (const { name, value } of given) query.append('header', `${name}: ${value}`)
  for (const line of linesOf('headers')) query.append('header', line)
  for (const line of linesOf('params')) query.append('param', line)
  return query
}

function linesOf(name: string): string[] {
  return readValue(name)
    .split('\n')
    .flatMap((line) => line.trim() || [])
}

function finish(dryRun: boolean, { end, outcomes }: { end: End; outcomes: Outcome[] }): void {
  const { lines, created, updated, unchanged, skipped, failed } = end.totals
  const [a, b, c, d, e] = [created, updated, unchanged, skipped, failed].map((count) =>
    count.toLocaleString('en'),
  )
  const left = skipped > 0 ? `${d} skipped, ` : ''
  const streams = created === 1 ? 'stream' : 'streams'
  tell(
    dryRun
      ? `${a} ${streams} will be created, ${b} updated. ${c} unchanged, ${left}${e} failed.`
      : `Imported: ${a} created, ${b} updated, ${c} unchanged, ${left}${e} failed.`,
  )
  state.looked = dryRun ? lines : 0
  now.classList.toggle('primary', dryRun && created + updated > 0)
  now.textContent = dryRun ? `Import ${(created + updated).toLocaleString('en')}` : 'Import'
  askFor(outcomes)
  showLines(outcomes)
}

/** Adds a field for every header that the file hides, an API requires or a stream would lose; typed values stay. */
function askFor(outcomes: readonly Outcome[]): void {
  for (const { problem, droppedHeaders = [] } of outcomes) {
    const asked = [...(problem?.detail.matchAll(/\?header=([^:\s]+):/g) ?? [])].map(([, name = '']) => name)
    for (const name of [...asked, ...droppedHeaders]) {
      if (secrets.querySelector(`[name="${CSS.escape(name)}"]`)) continue
      const label = document.createElement('label')
      const input = document.createElement('input')
      Object.assign(input, { type: 'password', name, autocomplete: 'off' })
      label.append(name, input)
      secrets.append(label)
    }
  }
  secrets.hidden = secrets.querySelector('input') === null
}

function showLines(outcomes: readonly Outcome[]): void {
  const placeOf = ({ outcome }: Outcome) => (outcome === 'failed' ? 0 : outcome === 'skipped' ? 2 : 1)
  const sorted = [...outcomes].sort((a, b) => placeOf(a) - placeOf(b))
  by('import-lines').replaceChildren(...sorted.slice(0, SHOWN).map(rowOf))
  const more = outcomes.length - SHOWN
  by('import-more').textContent = more > 0 ? `And ${more.toLocaleString('en')} more lines.` : ''
  by('import-report').hidden = outcomes.length === 0
}

function rowOf({ line, outcome, url, name, droppedHeaders, problem, reason }: Outcome): HTMLElement {
  const row = document.createElement('tr')
  const cell = (text: string, className: string) => {
    const made = row.appendChild(document.createElement('td'))
    made.className = className
    made.textContent = text
    return made
  }
  cell(String(line), 'number')
  cell(outcome, outcome)
  const stream = cell(name ?? url ?? '', '')
  const warn = (text: string, className = 'error') => {
    const why = stream.appendChild(document.createElement('div'))
    why.className = className
    why.textContent = text
  }
  if (droppedHeaders) warn(`Different origin: drops ${droppedHeaders.join(', ')}.`)
  if (problem) warn(problem.detail)
  if (reason) warn(reason, 'muted')
  return row
}

function tell(text: string, isError = false): void {
  status.textContent = text
  status.classList.toggle('error', isError)
}

function setRunning(is: boolean, dryRun: boolean): void {
  state.isRunning = is
  for (const button of importForm.querySelectorAll('button')) button.disabled = is
  bar.hidden = !is
  // The number of lines isn't known before the first preview.
  bar.removeAttribute('value')
  if (!dryRun && state.looked > 0) bar.max = state.looked
}
