// Replay: the moment of the last 24 hours that the page shows, and the scrubber that selects it.
import { ask, Refusal, say } from './dom.ts'
import { byId, type DrawnGraph } from './graph.ts'
import { isoSeconds } from './state.ts'
import { TimelineChart } from './timeline.ts'

const MINUTE_MS = 60_000
/** How far back graphs can be rebuilt. */
const DAY_MS = 24 * 3_600_000
/** Time between two frames while playing. */
const FRAME_MS = 500
/** Frames that are requested ahead: the slowest one may take the time of this many frames. */
const AHEAD = 4
/** Maximum number of cached moments; the oldest is evicted first. */
const MAX_KEPT = 120
/** How often the 24-hour window moves. */
const MOVE_ON_MS = 30_000
/** A drag loads a graph after a pause of this length: one per pixel would be hundreds. */
const DRAG_MS = 120

export interface ReplayOn {
  /** The moment changed: `step` while dragging or playing, `jump` if the back button should undo it. */
  moment(at: number | undefined, how: 'step' | 'jump'): void
  /** The graph of the moment has loaded. Settles when it is drawn, so that playback doesn't outrun it. */
  graph(graph: DrawnGraph): Promise<void>
}

/** Lives as long as the page does. */
export class ReplayControls {
  readonly #on: ReplayOn
  readonly #range = byId<HTMLInputElement>('replay-at')
  readonly #play = byId<HTMLButtonElement>('replay-play')
  readonly #speed = byId<HTMLSelectElement>('replay-speed')
  readonly #timeline = new TimelineChart()
  readonly #graphs = new Map<number, Promise<DrawnGraph>>()
  #at: number | undefined
  #playing: ReturnType<typeof setTimeout> | undefined
  #resting: ReturnType<typeof setTimeout> | undefined
  #isDragging = false
  /** Grows with each moment shown: answers for earlier ones are outdated. */
  #turn = 0

  constructor(on: ReplayOn) {
    this.#on = on
    this.#range.addEventListener('input', () => this.#drag())
    this.#range.addEventListener('change', () => this.#drop())
    this.#play.addEventListener('click', () => (this.#playing === undefined ? this.#start() : this.pause()))
    byId('replay-live').addEventListener('click', () => this.#go(undefined, 'jump'))
    byId('replay-copy').addEventListener('click', () => void this.#copy())
    this.#moveOn()
    setInterval(() => this.#moveOn(), MOVE_ON_MS)
    document.addEventListener('visibilitychange', () => this.#moveOn())
  }

  /** The moment shown; undefined for live. */
  get at(): number | undefined {
    return this.#at
  }

  /** Shows a moment or live. If a moment can't be shown, says why and shows live. */
  async seek(at: number | undefined, badAt?: string): Promise<void> {
    const turn = ++this.#turn
    this.#at = at
    const refusal = refusalOf(at, badAt)
    if (refusal !== undefined) return this.#refuse(refusal)
    if (at === undefined) this.pause()
    this.#show(at !== undefined)
    if (at === undefined) return
    this.#note('')
    try {
      const graph = await this.#load(at)
      if (turn !== this.#turn) return
      this.#show()
      await this.#on.graph(graph)
    } catch (error) {
      if (turn !== this.#turn) return
      // Showing nothing is better than showing a different moment under this time.
      void this.#on.graph({ services: [], calls: [] })
      this.#fail(error)
    }
  }

  pause(): void {
    clearTimeout(this.#playing)
    this.#playing = undefined
    this.#sayPlaying(false)
  }

  #start(): void {
    this.#sayPlaying(true)
    const at = this.#at ?? Date.now() - DAY_MS + MINUTE_MS
    if (this.#at === undefined) this.#go(at, 'jump')
    this.#playing = setTimeout(() => void this.#frame(performance.now()), FRAME_MS)
  }

  async #frame(dueAt: number): Promise<void> {
    const stepMs = (Number(this.#speed.value) * MINUTE_MS * FRAME_MS) / 1_000
    const next = (this.#at ?? Date.now()) + stepMs
    if (next >= Date.now()) return this.#go(undefined, 'jump')
    const turn = ++this.#turn
    try {
      const waited = this.#load(next)
      for (let frame = 1; frame <= AHEAD; frame++) {
        // A failed prefetch is repeated when its frame is due; only then is the error reported.
        if (next + frame * stepMs < Date.now()) this.#load(next + frame * stepMs).catch(() => {})
      }
      const graph = await waited
      if (turn !== this.#turn || this.#playing === undefined) return
      this.#at = next
      this.#on.moment(next, 'step')
      this.#show()
      await this.#on.graph(graph)
      if (turn !== this.#turn || this.#playing === undefined) return
      const late = performance.now() - dueAt
      this.#playing = setTimeout(() => void this.#frame(performance.now()), Math.max(FRAME_MS - late, 0))
    } catch (error) {
      if (turn === this.#turn) this.#fail(error)
    }
  }

  /** The graph of a moment's minute: calls are summed by the minute, so moments within one don't differ. */
  #load(at: number): Promise<DrawnGraph> {
    const minute = Math.floor(at / MINUTE_MS) * MINUTE_MS
    const known = this.#graphs.get(minute)
    if (known !== undefined) return known
    const graph = ask<DrawnGraph>(`/api/topology?at=${isoSeconds(Math.max(minute, earliest()))}`)
    this.#graphs.set(minute, graph)
    graph.catch(() => this.#graphs.delete(minute))
    const [oldest] = this.#graphs.keys()
    if (this.#graphs.size > MAX_KEPT && oldest !== undefined) this.#graphs.delete(oldest)
    return graph
  }

  /** The first movement is a step that the back button undoes; the others are part of it. */
  #drag(): void {
    clearTimeout(this.#resting)
    this.pause()
    this.#turn++
    this.#at = this.#chosen()
    this.#show(true)
    const how = this.#isDragging ? 'step' : 'jump'
    this.#isDragging = true
    if (how === 'jump') this.#on.moment(this.#at, how)
    this.#resting = setTimeout(() => this.#go(this.#at, 'step'), DRAG_MS)
  }

  #drop(): void {
    clearTimeout(this.#resting)
    this.#isDragging = false
    this.#go(this.#chosen(), 'step')
  }

  #chosen(): number | undefined {
    const isNow = this.#range.value === this.#range.max
    return isNow ? undefined : Math.max(Number(this.#range.value) * MINUTE_MS, earliest())
  }

  #go(at: number | undefined, how: 'step' | 'jump'): void {
    this.#on.moment(at, how)
    void this.seek(at)
  }

  #fail(error: unknown): void {
    this.pause()
    if (error instanceof Refusal && (error.status === 422 || error.status === 404))
      this.#refuse(error.message)
    else this.#note(error instanceof Error ? error.message : "Couldn't load this time.")
  }

  /** Says why a moment isn't shown, and shows live. */
  #refuse(reason: string): void {
    this.#go(undefined, 'step')
    this.#note(`${reason} Showing live.`)
  }

  #note(text: string): void {
    const note = byId('replay-note')
    say(note, text)
    note.hidden = text === ''
  }

  #show(isLoading = false): void {
    const at = this.#at
    const isReplaying = at !== undefined
    const text = isReplaying ? momentWords(at) : 'Now'
    document.documentElement.toggleAttribute('data-replaying', isReplaying)
    byId('replay-banner').hidden = !isReplaying
    const words = isLoading ? `Loading ${text}…` : `Replay of ${text}. Live updates are paused.`
    say(byId('replay-banner'), isReplaying ? words : '')
    say(byId('replay-time'), text)
    byId<HTMLButtonElement>('replay-live').disabled = !isReplaying
    this.#place()
  }

  #place(): void {
    const now = Math.floor(Date.now() / MINUTE_MS)
    this.#range.min = String(Math.ceil(earliest() / MINUTE_MS))
    this.#range.max = String(now)
    this.#range.value = String(this.#at === undefined ? now : Math.floor(this.#at / MINUTE_MS))
    this.#range.setAttribute('aria-valuetext', this.#at === undefined ? 'Now' : momentWords(this.#at))
  }

  #moveOn(): void {
    if (document.hidden) return
    this.#place()
    const to = Date.now()
    void this.#timeline.load(to - DAY_MS, to)
  }

  #sayPlaying(isPlaying: boolean): void {
    say(this.#play, isPlaying ? '❚❚ Pause' : '▶ Play')
    this.#play.setAttribute('aria-pressed', String(isPlaying))
  }

  async #copy(): Promise<void> {
    const url = new URL(location.href)
    const at = isoSeconds(this.#at ?? Date.now())
    url.searchParams.delete('at')
    const link = `${url.href}${url.search === '' ? '?' : '&'}at=${at}`
    const field = byId<HTMLInputElement>('replay-link')
    try {
      await navigator.clipboard.writeText(link)
      field.hidden = true
      this.#note(`Link to ${momentWords(this.#at ?? Date.now())} copied.`)
    } catch {
      // Without HTTPS a page can't write to the clipboard: the link is copied by hand.
      field.value = link
      field.hidden = false
      field.select()
      this.#note('Copy the link from the field.')
    }
  }
}

/** Why a moment can't be shown. */
function refusalOf(at: number | undefined, badAt: string | undefined): string | undefined {
  if (badAt !== undefined) return `“${badAt}” isn't a valid time. Use a format such as 2026-01-31T12:00:00Z.`
  if (at === undefined) return undefined
  if (at > Date.now()) return `${momentWords(at)} is in the future.`
  if (at < Date.now() - DAY_MS) return `${momentWords(at)} is too old: replay covers the last 24 hours.`
  return undefined
}

/** The earliest moment that the server surely accepts: its clock and ours may differ. */
function earliest(): number {
  return Date.now() - DAY_MS + MINUTE_MS
}

function momentWords(at: number): string {
  return new Date(at).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' })
}
