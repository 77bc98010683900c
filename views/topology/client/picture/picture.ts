// The diagram of the topology page.
import type { Call } from '../graph.ts'
import { Drawing, edgeKey, type Node } from './drawing.ts'
import type { Direction } from './layout.ts'
import { Renderer, type View } from './renderer.ts'
import { Viewport } from './viewport.ts'

/** More are only listed: drawing them would take minutes, and nobody could read it. */
const MAX_DRAWN_SERVICES = 700
const MAX_DRAWN_CALLS = 3_000
/** A drawing that failed is tried again after this long, in milliseconds, then after twice as long each time. */
const REDRAW_MS = 2_000
const MAX_REDRAW_MS = 60_000
const ZOOM = 1.25

export interface PictureOn {
  /** A node was chosen by click or key; undefined for none any more. */
  select(id: string | undefined): void
  /** An edge was clicked. Without it, that is a click on the background. */
  selectCall?(call: Call): void
}

/** The diagram. Its shape is drawn anew off screen; all else is changed in the drawing that is there. */
export class Picture {
  readonly #on: PictureOn
  readonly #renderer = new Renderer()
  readonly #frame = part('div', 'picture-frame')
  readonly #note = part('p', 'picture-note')
  readonly #problem = part('p', 'picture-problem error')
  readonly #viewport: Viewport
  #drawing: Drawing | undefined
  #view: View = { services: [], calls: [] }
  #shape = shapeOf(this.#view)
  #selected: string | undefined
  #isDrawing = false
  #redrawMs = REDRAW_MS
  #redraw: ReturnType<typeof setTimeout> | undefined

  constructor(panel: HTMLElement, on: PictureOn) {
    this.#on = on
    this.#note.textContent = 'Drawing…'
    this.#note.setAttribute('role', 'status')
    this.#problem.setAttribute('role', 'alert')
    this.#note.hidden = this.#problem.hidden = true
    panel.replaceChildren(this.#frame, this.#controls(), this.#note, this.#problem)
    panel.className = 'picture-panel'
    panel.tabIndex = 0
    panel.setAttribute('role', 'group')
    panel.ariaLabel = 'Diagram: arrow keys pan, plus and minus zoom, 0 shows all, Tab goes to its services'
    this.#viewport = new Viewport(this.#frame)
    this.#frame.addEventListener('click', ({ target }) => this.#click(target))
    this.#frame.addEventListener('focusin', ({ target }) => this.#focus(target))
    panel.addEventListener('keydown', (event) => this.#key(event))
  }

  /** Draws the view if its shape is new, otherwise brings the drawing up to date. The last view wins. */
  async show(view: View): Promise<void> {
    this.#view = view
    if (this.#shape === shapeOf(view)) this.#update()
    if (this.#isDrawing) return
    clearTimeout(this.#redraw)
    this.#isDrawing = true
    try {
      // However many shapes arrive during one drawing, the next one draws the last of them.
      while (shapeOf(this.#view) !== this.#shape) await this.#draw(this.#view)
      this.#tell()
      this.#redrawMs = REDRAW_MS
    } catch (error) {
      this.#tell(`The picture can't be drawn: ${error instanceof Error ? error.message : error}`)
      this.#redraw = setTimeout(() => void this.show(this.#view), this.#redrawMs)
      this.#redrawMs = Math.min(this.#redrawMs * 2, MAX_REDRAW_MS)
    } finally {
      this.#isDrawing = false
      this.#note.hidden = true
    }
  }

  /** Lets the edges of calls that were just made flash. */
  pulse(calls: readonly Call[]): void {
    if (!document.hidden) this.#drawing?.pulse(calls)
  }

  /** Makes a node stand out, without telling. */
  select(id: string | undefined): void {
    this.#selected = id
    this.#drawing?.select(id)
  }

  /** Brings a node into sight, large enough to read. */
  reveal(id: string): void {
    const node = this.#drawing?.node(id)
    if (node !== undefined) this.#viewport.reveal(node, node, { large: true })
  }

  fit(): void {
    this.#viewport.fit()
  }

  async #draw(view: View): Promise<void> {
    this.#note.hidden = false
    const { services, calls } = view
    if (services.length > MAX_DRAWN_SERVICES || calls.length > MAX_DRAWN_CALLS) {
      throw new Error(`${services.length} services and ${calls.length} calls are too many.`)
    }
    if (services.length === 0) this.#clear()
    else this.#swap(new Drawing(await this.#renderer.draw(view, this.#direction()), view), view)
    this.#shape = shapeOf(view)
  }

  /** What fills the frame best: on a phone, calls go downwards. */
  #direction(): Direction {
    return this.#frame.clientWidth < this.#frame.clientHeight ? 'DOWN' : 'RIGHT'
  }

  /** What stays in the picture stays where it is seen, and keeps the focus. */
  #swap(drawing: Drawing, view: View): void {
    const old = this.#drawing
    const focused = old?.at(document.activeElement).node
    this.#drawing = drawing
    this.#frame.replaceChildren(drawing.svg)
    // What came while it was drawn, where it has the same shape.
    drawing.update(shapeOf(this.#view) === shapeOf(view) ? this.#view : view)
    drawing.select(this.#selected)
    const from = old && this.#anchor(old, drawing, focused)
    const to = drawing.node(from?.id)
    this.#viewport.show(drawing.content, drawing, from && to && { from, to })
    drawing.node(focused?.id)?.element.focus({ preventScroll: true })
  }

  /** What the viewer looks at: the node with the focus, else the chosen one, else the one in the middle. */
  #anchor(old: Drawing, drawing: Drawing, focused: Node | undefined): Node | undefined {
    const wanted = [focused, old.node(this.#selected)].find((node) => drawing.node(node?.id) !== undefined)
    return wanted ?? old.nearest(this.#viewport.centre, drawing)
  }

  #clear(): void {
    this.#drawing = undefined
    this.#frame.replaceChildren()
  }

  #update(): void {
    this.#drawing?.update(this.#view)
  }

  #tell(problem = ''): void {
    this.#problem.textContent = problem
    this.#problem.hidden = problem === ''
  }

  #click(target: EventTarget | null): void {
    if (this.#viewport.wasDragged) return
    const { node, call } = this.#drawing?.at(target) ?? {}
    if (call !== undefined && this.#on.selectCall !== undefined) this.#on.selectCall(call)
    else this.#choose(node?.id)
  }

  #choose(id: string | undefined): void {
    this.select(id)
    this.#on.select(id)
  }

  #focus(target: EventTarget | null): void {
    const node = this.#drawing?.at(target).node
    if (node === undefined) return
    this.#drawing?.makeReachable(node)
    if (node.element.matches(':focus-visible')) this.#viewport.reveal(node, node)
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    if (!this.#nodeKey(event.key) && !this.#viewport.key(event.key)) return
    event.preventDefault()
  }

  #nodeKey(key: string): boolean {
    if (key === 'Escape') this.#choose(undefined)
    const node = this.#drawing?.at(document.activeElement).node
    if (node === undefined || this.#drawing === undefined) return false
    if (key === 'Enter' || key === ' ') {
      this.#choose(node.id)
      return true
    }
    const next = this.#drawing.next(node, key)
    next?.element.focus({ preventScroll: true })
    return next !== undefined || key.startsWith('Arrow')
  }

  #controls(): HTMLElement {
    const controls = part('div', 'picture-controls')
    const add = (text: string, label: string, act: () => void) => {
      const button = part('button', '')
      Object.assign(button, { type: 'button', textContent: text, title: label, ariaLabel: label })
      button.addEventListener('click', act)
      controls.append(button)
    }
    add('+', 'Zoom in', () => this.#viewport.zoom(ZOOM))
    add('−', 'Zoom out', () => this.#viewport.zoom(1 / ZOOM))
    add('Fit', 'Fit: show all of the diagram', () => this.#viewport.fit())
    return controls
  }
}

/** What changes when the picture must be drawn anew. */
function shapeOf({ services, calls }: View): string {
  return JSON.stringify([
    services.map(({ id, name, kind, node }) => [id, name, kind, node]),
    calls.map(edgeKey),
  ])
}

function part<Tag extends 'div' | 'p' | 'button'>(tag: Tag, className: string): HTMLElementTagNameMap[Tag] {
  return Object.assign(document.createElement(tag), { className })
}
