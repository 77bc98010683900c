// Runs on the page of a document: loads the version that the slider is moved to, and gives each its own address.
import { momentText } from '../../layout/client/zone.ts'

type Stop = readonly [seq: number, at: number]

/** How long the handle rests before its version is loaded, in milliseconds. */
const SETTLE_MS = 120
/** Moves within this time of each other share one history entry, in milliseconds. */
const BURST_MS = 2_000
/** Versions that Page Up and Page Down skip. */
const LEAP = 10
/** Parts of the page that another version replaces; the slider itself stays, so that dragging isn't interrupted. */
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

  /** Index of the version shown; past the last one if there is none. */
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

  /** Past the last stop, a zoomed slider continues with the next version and shows the time around it. */
  function step(by: number): void {
    const beyond = index + by < 0 ? 'prev' : index + by >= stops().length ? 'next' : undefined
    const isAtEnd = index === (by < 0 ? 0 : stops().length - 1)
    const neighbor = beyond && document.querySelector<HTMLAnchorElement>(`#document-steps a[rel="${beyond}"]`)
    if (neighbor && isAtEnd) void load(neighbor.href, 'move')
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

  /** @param how `move`: sets a new address; `back`: the address is already set. */
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
      if (fresh.getElementById('document-body') === null) throw new Error('No document in the response')
      show(fresh)
      if (how === 'move') remember(link)
    } catch {
      if (asked.signal.aborted) return
      const detail = "Can't load this version. Try again."
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
      const zooms = fresh.querySelector('.slider .pills')
      if (zooms !== null)
        document.querySelector('.slider .pills')?.replaceWith(document.importNode(zooms, true))
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

/** The stop that is nearest in time; stops are in order of time. */
function nearest(stops: readonly Stop[], at: number): number {
  let best = 0
  for (const [index, [, time]] of stops.entries()) {
    if (Math.abs(time - at) <= Math.abs((stops[best]?.[1] ?? 0) - at)) best = index
  }
  return best
}
