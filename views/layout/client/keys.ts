// Shortcuts of single keys. They are off while somebody types, and for good on wish (WCAG 2.1.4).

/** How long the second key may take, in milliseconds. */
const SEQUENCE_MS = 1_500
const OFF = 'weir-single-keys-off'
/** What `j` and `k` go through. */
const ROWS = 'main tbody tr, main ol.log > li, main ul.lines > li'
const FOCUSABLE = 'a[href], summary, button, input:not([type="checkbox"])'

export interface KeyActions {
  showSheet(): void
  showPalette(): void
}

export function listenForKeys({ showSheet, showPalette }: KeyActions): void {
  const places = new Map(
    [...document.querySelectorAll<HTMLElement>('#shortcuts [data-keys]')].map((row) => [
      row.dataset.keys,
      row.dataset.path ?? '/',
    ]),
  )
  const single: Record<string, () => void> = {
    '?': showSheet,
    '/': () => search(showPalette),
    j: () => moveRow(1),
    k: () => moveRow(-1),
  }
  let first = ''
  let firstAt = 0
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
    if (isTyping(event.target) || document.querySelector('dialog[open]') !== null || !areKeysOn()) return
    const isSecond = first !== '' && event.timeStamp - firstAt < SEQUENCE_MS
    const place = isSecond ? places.get(`${first} ${event.key}`) : undefined
    first = event.key
    firstAt = event.timeStamp
    const act = place === undefined ? single[event.key] : () => location.assign(place)
    if (act === undefined) return
    first = ''
    event.preventDefault()
    act()
  })
  const box = document.querySelector<HTMLInputElement>('#single-keys')
  if (box === null) return
  box.checked = areKeysOn()
  box.addEventListener('change', () => {
    if (box.checked) localStorage.removeItem(OFF)
    else localStorage.setItem(OFF, 'yes')
  })
}

function areKeysOn(): boolean {
  return localStorage.getItem(OFF) === null
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  if (
    target.isContentEditable ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement
  ) {
    return true
  }
  return (
    target instanceof HTMLInputElement && !['checkbox', 'radio', 'button', 'submit'].includes(target.type)
  )
}

/** The page's own search, where it has one. */
function search(otherwise: () => void): void {
  const field = [...document.querySelectorAll<HTMLInputElement>('main input[type="search"]')].find((each) =>
    each.checkVisibility(),
  )
  if (field === undefined) return void otherwise()
  field.focus()
  field.select()
}

/** Focuses the next row's link, or what else there is to press in it. */
function moveRow(step: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>(ROWS)].filter((row) => row.checkVisibility())
  const at = rows.findIndex((row) => row.contains(document.activeElement))
  const next = at < 0 ? (step === 1 ? 0 : rows.length - 1) : at + step
  const row = rows[next]
  const target = row?.querySelector<HTMLElement>(FOCUSABLE)
  target?.focus()
  row?.scrollIntoView({ block: 'nearest' })
}
