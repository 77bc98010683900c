// Runs on every page: keeps relative times current, bounds live lists, and starts what every page has.
import { Connection } from './connection.ts'
import { listenForCopies } from './curl.ts'
import { listenForKeys } from './keys.ts'
import { Palette } from './palette.ts'
import { showExactTimes } from './times.ts'
import { instantText, timeZone, zoneName } from './zone.ts'

/** How often relative times are brought up to date, in milliseconds. */
const TICK_MS = 1_000

/** How long a notice stays, in milliseconds. */
const NOTICE_MS = 8_000

const exact = new Intl.DateTimeFormat(undefined, {
  dateStyle: 'medium',
  timeStyle: 'long',
  timeZone: timeZone(),
})

/** A distance in time for people: its largest unit, rounded down. */
function distance(ms: number): string {
  const seconds = Math.floor(Math.abs(ms) / 1_000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`
  return `${Math.floor(seconds / 86_400)} days`
}

function showTimes(): void {
  for (const element of document.querySelectorAll<HTMLTimeElement>('time[datetime]')) {
    const at = new Date(element.dateTime)
    if (Number.isNaN(at.getTime())) continue
    element.title = exact.format(at)
    const { exact: form } = element.dataset
    if (form !== undefined) write(element, instantText(at, form === 'minute' ? 'minute' : 'millisecond'))
    if (!element.hasAttribute('data-relative')) continue
    const elapsed = Date.now() - at.getTime()
    const text = elapsed < 0 ? `in ${distance(elapsed)}` : `${distance(elapsed)} ago`
    write(element, text)
  }
  for (const element of document.querySelectorAll<HTMLElement>('[data-zone-name]')) write(element, zoneName())
}

/** What is as it was isn't written: that would end a selection. */
function write(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/**
 * Live lists grow at the front; what is beyond their bound goes, unless somebody has it open. A line may come again
 * where a page reconnects: then the first one stays.
 */
function trimLists(): void {
  for (const list of document.querySelectorAll<HTMLElement>('[data-keep]')) {
    if (list.children.length > 1) list.querySelector(':scope > .empty')?.remove()
    const seen = new Set<string>()
    for (const item of [...list.children].reverse()) {
      if (item.id !== '' && seen.has(item.id)) item.remove()
      seen.add(item.id)
    }
    const most = Number(list.dataset.keep)
    for (const item of [...list.children].slice(most)) if (!item.querySelector('[open]')) item.remove()
  }
}

/** Says for a while what went wrong with the last thing asked for. */
function noticeBoard(notice: HTMLElement | null): (text: string) => void {
  let hiding: ReturnType<typeof setTimeout> | undefined
  return (text) => {
    if (notice === null) return
    notice.textContent = text
    notice.hidden = false
    clearTimeout(hiding)
    hiding = setTimeout(() => {
      notice.hidden = true
    }, NOTICE_MS)
  }
}

const tell = noticeBoard(document.getElementById('notice'))
document.addEventListener('problem', (event) =>
  tell((event as CustomEvent<{ detail: string }>).detail.detail),
)
const connection = new Connection(document.getElementById('connection') as HTMLElement)
/** What asks again by itself waits while nobody sees it; the page asks as soon as it is seen. */
document.addEventListener('htmx:before:request', (event) => {
  const { ctx } = (event as CustomEvent<{ ctx?: { sourceEvent?: Event } }>).detail
  if (document.hidden && ctx?.sourceEvent?.type === 'every') event.preventDefault()
})
document.addEventListener('htmx:error', ({ target }) => {
  connection.ask()
  const part = target as Element
  const isByItself =
    part.getAttribute?.('hx-trigger')?.includes('every') || part.matches?.('[hx-sse\\:connect]')
  if (!isByItself) tell('Weir did not answer. Is it running?')
})

const dialogs = (id: string) => document.getElementById(id) as HTMLDialogElement
const showSheet = () => dialogs('shortcuts').showModal()
const palette = new Palette(dialogs('palette'), showSheet)
listenForKeys({ showSheet, showPalette: () => palette.open() })
listenForCopies(tell)
showExactTimes()

showTimes()
setInterval(showTimes, TICK_MS)
document.addEventListener('weir-times', showTimes)
document.addEventListener('htmx:after:swap', () => {
  showTimes()
  trimLists()
})
