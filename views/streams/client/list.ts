// Runs on the list of streams: choosing rows, also by range, and doing the same with all of them, without a page load.

import { readLines } from './ndjson.ts'

interface Report {
  total: number
  done: number
  changed: number
  unchanged: number
  failed: number
  failures: { id: string; problem: { detail: string } }[]
  problem?: { detail: string }
}

const DONE: Readonly<Record<string, string>> = {
  start: 'Started',
  stop: 'Stopped',
  tag: 'Tagged',
  untag: 'Untagged',
  delete: 'Deleted',
}
/** Failures told one by one; the others are counted. */
const TOLD = 5

const form = document.getElementById('bulk') as HTMLFormElement
const result = document.getElementById('bulk-result') as HTMLElement
const progress = document.getElementById('bulk-progress') as HTMLProgressElement
const all = form.elements.namedItem('all') as HTMLInputElement
const table = document.getElementById('streams-table') as HTMLElement
/** Kept over every redrawing of the table, and dropped for rows that are no longer shown. */
const chosen = new Set<string>()
/** The row that was chosen last: where a range begins. */
const range: { from?: string } = {}

function boxes(): HTMLInputElement[] {
  return [...table.querySelectorAll<HTMLInputElement>('input[name=id]')]
}

function showChosen(): void {
  const shown = boxes()
  const ids = new Set(shown.map(({ value }) => value))
  for (const id of chosen) if (!ids.has(id)) chosen.delete(id)
  for (const box of shown) {
    box.checked = all.checked || chosen.has(box.value)
    box.disabled = all.checked
  }
  const page = document.getElementById('choose-page') as HTMLInputElement | null
  if (page !== null) {
    page.hidden = false
    page.disabled = all.checked
    page.checked = all.checked || (shown.length > 0 && chosen.size === shown.length)
    page.indeterminate = !all.checked && chosen.size > 0 && chosen.size < shown.length
  }
  const total = Number(table.querySelector<HTMLElement>('[data-total]')?.dataset.total ?? 0)
  const text = document.getElementById('bulk-total')
  if (text !== null) text.textContent = total.toLocaleString('en')
  form.dataset.chosen = String(all.checked ? total : chosen.size)
}

function choose(box: HTMLInputElement, isRange: boolean): void {
  const shown = boxes()
  const [from, to] = [range.from ?? box.value, box.value].map((id) =>
    shown.findIndex(({ value }) => value === id),
  )
  const span =
    isRange && from !== undefined && from >= 0 ? [from, to ?? from].sort((a, b) => a - b) : undefined
  for (const each of span ? shown.slice(span[0], (span[1] ?? 0) + 1) : [box]) {
    if (box.checked) chosen.add(each.value)
    else chosen.delete(each.value)
  }
  range.from = box.value
  showChosen()
}

table.addEventListener('click', (event) => {
  const box = event.target
  if (!(box instanceof HTMLInputElement) || box.type !== 'checkbox') return
  if (box.id !== 'choose-page') return choose(box, event.shiftKey)
  for (const { value } of boxes()) box.checked ? chosen.add(value) : chosen.delete(value)
  showChosen()
})
all.addEventListener('change', showChosen)
document.addEventListener('htmx:after:swap', showChosen)
showChosen()

form.addEventListener('submit', (event) => {
  event.preventDefault()
  const action = ((event as SubmitEvent).submitter as HTMLButtonElement | null)?.value ?? ''
  const count = Number(form.dataset.chosen)
  if (count === 0) return say('Choose streams first: tick their boxes, or all that match.')
  const tag = (form.elements.namedItem('tag') as HTMLInputElement).value.trim()
  const isTagging = action === 'tag' || action === 'untag'
  if (isTagging && tag === '') return say('Say which tag.')
  const streams = `${count.toLocaleString('en')} ${count === 1 ? 'stream' : 'streams'}`
  if (action === 'delete' && !confirm(`Delete ${streams} and everything recorded of them?`)) return
  const filter = Object.fromEntries(
    new URLSearchParams((form.elements.namedItem('filter') as HTMLInputElement).value),
  )
  const which = all.checked ? { filter, ...(action === 'delete' && { atMost: count }) } : { ids: [...chosen] }
  void carryOut(action, { action, ...which, ...(isTagging && { tag }) })
})

async function carryOut(action: string, body: object): Promise<void> {
  setBusy(true)
  try {
    const report = await send(body, (so) => {
      progress.max = Math.max(so.total, 1)
      progress.value = so.done
      say(`${so.done.toLocaleString('en')} of ${so.total.toLocaleString('en')}…`)
    })
    say(wordsOf(action, report))
    all.checked = false
    chosen.clear()
  } catch (error) {
    say((error as Error).message)
  } finally {
    setBusy(false)
    showChosen()
  }
}

/** Sends what is to be done, and tells how far it is. @returns the last report */
async function send(body: object, tell: (report: Report) => void): Promise<Report> {
  const response = await fetch('/api/streams/bulk', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/x-ndjson' },
    body: JSON.stringify(body),
  })
  let report: Report | undefined
  await readLines<Report>(response, (lines) => {
    for (const line of lines) {
      report = line
      tell(line)
    }
  })
  return checked(report)
}

/** @throws Error where it broke off, with how far it came */
function checked(report: Report | undefined): Report {
  if (report !== undefined && report.problem === undefined && report.done === report.total) return report
  const so = report && report.done > 0 ? ` ${report.done} of ${report.total} were done.` : ''
  throw new Error(`${report?.problem?.detail ?? 'The connection broke off.'}${so}`)
}

function wordsOf(action: string, { total, changed, unchanged, failed, failures }: Report): string {
  const parts = [`${DONE[action]} ${changed.toLocaleString('en')} of ${total.toLocaleString('en')}.`]
  if (unchanged > 0) parts.push(`${unchanged.toLocaleString('en')} were so already.`)
  if (failed > 0) {
    const told = failures.slice(0, TOLD).map(({ id, problem }) => `${nameOf(id)}: ${problem.detail}`)
    parts.push(`${failed.toLocaleString('en')} could not be changed. ${told.join(' ')}`)
  }
  return parts.join(' ')
}

function nameOf(id: string): string {
  return document.querySelector(`#stream-${id} th a`)?.textContent ?? id
}

function say(text: string): void {
  result.textContent = text
}

function setBusy(isBusy: boolean): void {
  progress.hidden = !isBusy
  for (const button of form.querySelectorAll('button')) button.disabled = isBusy
}
