// Runs on the page of a document: loads the version that the slider is moved to, and makes each a link of its own.
import { momentText } from '../../layout/client/zone.ts'

type Stop = readonly [seq: number, at: number]

/** The handle rests for this long before its version is loaded, in milliseconds. */
const SETTLE_MS = 120
/** Moves that follow each other within this time are one step of the browser's history, in milliseconds. */
const BURST_MS = 2_000
/** Versions that Page Up and Page Down go by. */
const LEAP = 10
/** What of the page another moment replaces; the slider itself stays, so that the hand on it isn't lost. */
const PARTS = ['document-body', 'document-steps', 'slider-now', 'slider-density', 'slider-ends']
const SLIDER_FIELDS = ['min', 'max', 'data-from', 'data-stops', 'data-shown', 'aria-valuetext']

const input = document.querySelector<HTMLInputElement>('#moment')
if (input !== null) followSlider(input)

function followSlider(slider: HTMLInputElement): void {
  let settling: ReturnType<typeof setTimeout> | undefined
  let asking: AbortController | undefined
  let movedAt = Number.NEGATIVE_INFINITY
  let index = placeOfShown()

  function stops(): Stop[] {
    return JSON.parse(slider.dataset.stops ?? '[]') as Stop[]
  }

  /** Of the version that is shown; after the last one where none is. */
  function placeOfShown(): number {
    const all = stops()
    const at = all.findIndex(([seq]) => seq === Number(slider.dataset.shown))
    return at < 0 ? all.length : at
  }

  function go(to: number): void {
    const all = stops()
    const stop = all[Math.min(Math.max(to, 0), all.length - 1)]
    if (stop === undefined) return
    index = all.indexOf(stop)
    const [seq, at] = stop
    slider.value = String(at - Number(slider.dataset.from))
    say(seq, at)
    clearTimeout(settling)
    settling = setTimeout(() => void load(linkOf(seq), 'move'), SETTLE_MS)
  }

  /** Beyond the last stop a zoomed slider goes on with the version after it, and shows that one's time. */
  function step(by: number): void {
    const beyond = index + by < 0 ? 'prev' : index + by >= stops().length ? 'next' : undefined
    const isAtEnd = index === (by < 0 ? 0 : stops().length - 1)
    const neighbour =
      beyond && document.querySelector<HTMLAnchorElement>(`#document-steps a[rel="${beyond}"]`)
    if (neighbour && isAtEnd) void load(neighbour.href, 'move')
    else go(index + by)
  }

  function say(seq: number, at: number): void {
    const text = momentText(new Date(at))
    slider.setAttribute('aria-valuetext', `${text}, entry ${seq}`)
    const now = document.getElementById('slider-now')
    if (now !== null) now.textContent = text
  }

  function linkOf(seq: number): string {
    const zoom = document.getElementById('document-slider')?.dataset.zoom
    return `${slider.dataset.link}?at=seq:${seq}${zoom === undefined || zoom === 'all' ? '' : `&window=${zoom}`}`
  }

  /** @param how `move`: a new address; `back`: the address is what was asked for. */
  async function load(link: string, how: 'move' | 'back'): Promise<void> {
    asking?.abort()
    const asked = new AbortController()
    asking = asked
    const body = document.getElementById('document-body')
    body?.setAttribute('aria-busy', 'true')
    try {
      const answer = await fetch(link, { headers: { 'HX-Request': 'true' }, signal: asked.signal })
      const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html')
      if (asked.signal.aborted) return
      if (fresh.getElementById('document-body') === null) throw new Error('Nothing to show came')
      show(fresh)
      if (how === 'move') remember(link)
    } catch {
      if (asked.signal.aborted) return
      const detail = 'Weir could not show that moment.'
      document.dispatchEvent(new CustomEvent('problem', { detail: { detail } }))
    } finally {
      if (asking === asked) document.getElementById('document-body')?.removeAttribute('aria-busy')
    }
  }

  function show(fresh: Document): void {
    for (const id of PARTS) {
      const next = fresh.getElementById(id)
      if (next !== null) document.getElementById(id)?.replaceWith(document.importNode(next, true))
    }
    const next = fresh.querySelector<HTMLInputElement>('#moment')
    if (next !== null) {
      for (const name of SLIDER_FIELDS) {
        const value = next.getAttribute(name)
        if (value === null) slider.removeAttribute(name)
        else slider.setAttribute(name, value)
      }
      slider.value = next.getAttribute('value') ?? '0'
      const zooms = fresh.querySelector('.slider .verdicts')
      if (zooms !== null)
        document.querySelector('.slider .verdicts')?.replaceWith(document.importNode(zooms, true))
    }
    index = placeOfShown()
    const shown = stops()[index]
    if (shown !== undefined) say(...shown)
    document.dispatchEvent(new CustomEvent('weir-times'))
  }

  function remember(link: string): void {
    const isBurst = performance.now() - movedAt < BURST_MS
    movedAt = performance.now()
    history[isBurst ? 'replaceState' : 'pushState'](null, '', link)
    const field = document.querySelector<HTMLInputElement>('.moment input[name="at"]')
    if (field !== null) field.value = new URL(location.href).searchParams.get('at') ?? ''
  }

  slider.addEventListener('input', () => {
    const at = Number(slider.dataset.from) + slider.valueAsNumber
    go(nearest(stops(), at))
  })
  slider.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const act = KEYS[event.key]
    if (act === undefined) return
    event.preventDefault()
    if (act === 'first') go(0)
    else if (act === 'last') go(stops().length - 1)
    else step(act)
  })
  addEventListener('popstate', () => void load(location.href, 'back'))
  const shown = stops()[index]
  if (shown !== undefined) say(...shown)
}

const KEYS: Readonly<Record<string, number | 'first' | 'last'>> = {
  ArrowLeft: -1,
  ArrowDown: -1,
  ArrowRight: 1,
  ArrowUp: 1,
  PageDown: -LEAP,
  PageUp: LEAP,
  Home: 'first',
  End: 'last',
}

/** The stop that is nearest in time; they are in its order. */
function nearest(stops: readonly Stop[], at: number): number {
  let best = 0
  for (const [index, [, time]] of stops.entries()) {
    if (Math.abs(time - at) <= Math.abs((stops[best]?.[1] ?? 0) - at)) best = index
  }
  return best
}
