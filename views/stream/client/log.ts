// Runs on the page of a stream: pauses its log, and reads older entries into it.

/** Lines that wait while the log is paused; of more, the newest are kept, and all are counted. */
const MAX_WAITING = 200
/** Lines that a log can be made to hold by reading older ones; from there on older ones are a page of their own. */
const MAX_LINES = 2_000
/** Room for new lines, beside those that were read. */
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
  // Lines come in front; they are taken out again before anything is drawn.
  const observer = new MutationObserver((changes) => {
    for (const { addedNodes, nextSibling } of changes) {
      // What is put behind the others was asked for.
      if (nextSibling === null && log.children.length > addedNodes.length) continue
      const lines = [...addedNodes].filter((node) => node instanceof Element)
      for (const line of lines) line.remove()
      // A line may come again where a page reconnects.
      const fresh = lines.filter(
        ({ id }) => !document.getElementById(id) && waiting.every((each) => each.id !== id),
      )
      waiting.unshift(...fresh)
      waiting.splice(MAX_WAITING)
      count += fresh.length
    }
    told.textContent =
      count === 0 ? '' : `${count.toLocaleString()} ${count === 1 ? 'entry waits' : 'entries wait'}`
  })

  function toggle(button: HTMLButtonElement): void {
    const isPaused = button.getAttribute('aria-pressed') !== 'true'
    button.setAttribute('aria-pressed', String(isPaused))
    button.textContent = isPaused ? 'Go on' : 'Pause'
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

/** Older lines go on from the last one that is there: lines that were dropped meanwhile are read again. */
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
