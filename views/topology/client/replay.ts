// Replay: which moment of the last 24 hours the page shows, and the scrubber that chooses it.
import { ask, Refusal, say } from './dom.ts'
import { byId, type Graph } from './graph.ts'
import { isoSeconds } from './state.ts'
import { Timeline } from './timeline.ts'

const MINUTE_MS = 60_000
/** How far back graphs can be rebuilt. */
const DAY_MS = 24 * 3_600_000
/** Between two frames while playing. */
const FRAME_MS = 500
/** Frames that are asked for before they are due: what the slowest of them may take is this many frames. */
const AHEAD = 4
/** Moments that are kept; of more the oldest is asked for again. */
const MAX_KEPT = 120
/** How often the last 24 hours move on. */
const MOVE_ON_MS = 30_000
/** A drag is followed once it rests for as long: a graph for every pixel would be hundreds. */
const DRAG_MS = 120

export interface ReplayOn {
  /** The moment is another one: `step` while dragging and playing, `jump` where the back button should lead back. */
  moment(at: number | undefined, how: 'step' | 'jump'): void
  /** The graph of the moment is here. Settles when it is drawn: what is played doesn't outrun that. */
  graph(graph: Graph): Promise<void>
}

/** Lives as long as the page does. */
export class Replay {
  readonly #on: ReplayOn
  readonly #range = byId<HTMLInputElement>('replay-at')
  readonly #play = byId<HTMLButtonElement>('replay-play')
  readonly #speed = byId<HTMLSelectElement>('replay-speed')
  readonly #timeline = new Timeline()
  readonly #graphs = new Map<number, Promise<Graph>>()
  #at: number | undefined
  #playing: ReturnType<typeof setTimeout> | undefined
  #resting: ReturnType<typeof setTimeout> | undefined
  #isDragging = false
  /** Grows with each moment that is shown: an answer to an earlier one is late. */
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

  /** The moment that is shown; undefined for now. */
  get at(): number | undefined {
    return this.#at
  }

  /** Shows a moment, or now. One that can't be shown is told in a sentence, and now is shown. */
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
      // Better nothing than another moment under this one's name.
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
        // What fails ahead is asked for again when it is due, and told then.
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

  /** The graph of a moment's minute: calls are summed by the minute, so no two moments in one differ. */
  #load(at: number): Promise<Graph> {
    const minute = Math.floor(at / MINUTE_MS) * MINUTE_MS
    const known = this.#graphs.get(minute)
    if (known !== undefined) return known
    const graph = ask<Graph>(`/api/topology?at=${isoSeconds(Math.max(minute, earliest()))}`)
    this.#graphs.set(minute, graph)
    graph.catch(() => this.#graphs.delete(minute))
    const [oldest] = this.#graphs.keys()
    if (this.#graphs.size > MAX_KEPT && oldest !== undefined) this.#graphs.delete(oldest)
    return graph
  }

  /** The first movement is a step that the back button undoes, the others are part of it. */
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
    else this.#note(error instanceof Error ? error.message : 'This moment could not be loaded.')
  }

  /** Says why a moment isn't shown, and shows now. */
  #refuse(reason: string): void {
    this.#go(undefined, 'step')
    this.#note(`${reason} This is now.`)
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
    const words = isLoading
      ? `Loading how it was on ${text}…`
      : `Replay: this is how it was on ${text}. Live changes wait.`
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
      // Without https a page may not write to the clipboard: then it is copied by hand.
      field.value = link
      field.hidden = false
      field.select()
      this.#note('Copy the link from the field.')
    }
  }
}

/** A moment's sentence where it can't be shown. */
function refusalOf(at: number | undefined, badAt: string | undefined): string | undefined {
  if (badAt !== undefined) return `“${badAt}” is no time such as 2026-01-31T12:00:00Z.`
  if (at === undefined) return undefined
  if (at > Date.now()) return `${momentWords(at)} is still to come.`
  if (at < Date.now() - DAY_MS)
    return `${momentWords(at)} is longer ago than the 24 hours that can be replayed.`
  return undefined
}

/** The first moment that the server surely still takes: its clock and ours aren't the same. */
function earliest(): number {
  return Date.now() - DAY_MS + MINUTE_MS
}

function momentWords(at: number): string {
  return new Date(at).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' })
}
