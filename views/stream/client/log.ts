// Runs on the page of a stream: pauses its log and loads older entries into it.

/** Entries kept while the log is paused: beyond that only the newest stay, but all are counted. */
const MAX_WAITING = 200
/** Maximum number of entries of a log with older ones loaded; beyond that, older entries are on a page of their own. */
const MAX_LINES = 2_000
/** Room for new entries, on top of those that were loaded. */
const NEW_LINES = 200

const log = document.getElementById('log')
const pause = document.getElementById('log-pause') as HTMLButtonElement | null
const told = document.getElementById('log-waiting')
if (log !== null && pause !== null && told !== null) {
  pauses(log, pause, told)
  readsOlder(log)
}

function pauses(log: HTMLElement, pause: HTMLButtonElement, told: HTMLElement): void {
  const waiting: Element[] = []
  let count = 0
  // Entries are added at the top; they are taken out again before anything is drawn.
  const observer = new MutationObserver((changes) => {
    for (const { addedNodes, nextSibling } of changes) {
      // Entries appended at the end were loaded on request.
      if (nextSibling === null && log.children.length > addedNodes.length) continue
      const lines = [...addedNodes].filter((node) => node instanceof Element)
      for (const line of lines) line.remove()
      // An entry may arrive twice when the page reconnects.
      const fresh = lines.filter(
        ({ id }) => !document.getElementById(id) && waiting.every((each) => each.id !== id),
      )
      waiting.unshift(...fresh)
      waiting.splice(MAX_WAITING)
      count += fresh.length
    }
    told.textContent =
      count === 0 ? '' : `${count.toLocaleString()} ${count === 1 ? 'new entry' : 'new entries'}`
  })

  function toggle(button: HTMLButtonElement): void {
    const isPaused = button.getAttribute('aria-pressed') !== 'true'
    button.setAttribute('aria-pressed', String(isPaused))
    button.textContent = isPaused ? 'Resume' : 'Pause'
    told.textContent = isPaused ? 'Paused' : ''
    if (isPaused) return void observer.observe(log, { childList: true })
    observer.disconnect()
    log.querySelector(':scope > .empty')?.remove()
    log.prepend(...waiting.splice(0))
    count = 0
    document.dispatchEvent(new CustomEvent('htmx:after:swap'))
  }

  pause.hidden = false
  pause.addEventListener('click', () => toggle(pause))
}

/** Loads from the last entry shown: entries that were dropped since are loaded again. */
function readsOlder(log: HTMLElement): void {
  document.addEventListener('htmx:before:request', (event) => {
    const { ctx } = (event as CustomEvent<{ ctx: { sourceElement: Element; request: { action: string } } }>)
      .detail
    if (ctx.sourceElement.closest('#older') === null) return
    const last = log.lastElementChild instanceof HTMLElement ? log.lastElementChild.dataset.seq : undefined
    const url = new URL(ctx.request.action, location.href)
    if (last !== undefined && !url.searchParams.has('q')) url.searchParams.set('before', last)
    ctx.request.action = url.pathname + url.search
    log.dataset.keep = String(Math.min(log.children.length + NEW_LINES, MAX_LINES))
  })
}
