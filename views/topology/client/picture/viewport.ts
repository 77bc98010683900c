// What part of the picture is seen, and how large: panned and zoomed by mouse, touch and keyboard.
import type { Point, Size } from './layout.ts'

/** How far a picture is enlarged to fill its frame, and how far anyone may enlarge it. */
const MAX_FIT_SCALE = 1.5
const MAX_SCALE = 4
/** How much smaller than its frame a picture may get. */
const MIN_FITS = 0.5
const MARGIN = 16
/** Height of the buttons above the picture, which it keeps clear of when all is shown. */
const TOP = 56
/** Steps of keys and buttons: pixels, and factors. */
const PAN_STEP = 60
const ZOOM_STEP = 1.25
/** What a notch of the wheel, or a pixel of a trackpad's pinch, zooms: e to the power of this times it. */
const ZOOM_PER_WHEEL = 0.0025
const MAX_WHEEL = 200
/** Pixels that a line or page of wheel movement counts as. */
const WHEEL_UNITS = [1, 16, 400]
/** A pointer that moves less than this, in pixels, clicks. */
const CLICK_SLACK = 5
/** Below these scales, numbers of edges and names of nodes are too small to read, and are left out. */
const NUMBERS_SCALE = 0.42
const NAMES_SCALE = 0.22
/** Numbers are written in this size, in pixels, and larger below this scale, so that they shrink no further. */
const NUMBERS_PX = 11
const FULL_NUMBERS_SCALE = 0.75
/** The picture counts as moving until this long after its last step, in milliseconds. */
const REST_MS = 200
/** Revealing shows a node at least this large. */
const REVEAL_SCALE = 0.7

/** The frame's part of the picture. The page scrolls on by the plain wheel; with Ctrl it zooms. */
export class Viewport {
  readonly #frame: HTMLElement
  readonly #pointers = new Map<number, Point>()
  #content: SVGGElement | undefined
  #size: Size = { width: 1, height: 1 }
  #offset: Point = { x: 0, y: 0 }
  #scale = 1
  #isFitted = true
  #travelled = 0
  #frameWanted = false
  #rest: ReturnType<typeof setTimeout> | undefined

  constructor(frame: HTMLElement) {
    this.#frame = frame
    frame.addEventListener('wheel', (event) => this.#wheel(event), { passive: false })
    frame.addEventListener('pointerdown', (event) => this.#press(event))
    frame.addEventListener('pointermove', (event) => this.#move(event))
    for (const end of ['pointerup', 'pointercancel'] as const) {
      frame.addEventListener(end, ({ pointerId }) => this.#release(pointerId))
    }
    new ResizeObserver(() => this.#isFitted && this.fit()).observe(frame)
  }

  /** Whether the pointer's last press moved the picture: its click means nothing then. */
  get wasDragged(): boolean {
    return this.#travelled > CLICK_SLACK
  }

  /** Where the middle of the frame is in the picture. */
  get centre(): Point {
    const { clientWidth, clientHeight } = this.#frame
    return this.#toPicture({ x: clientWidth / 2, y: clientHeight / 2 })
  }

  /**
   * Shows another picture. What was at `from` in the old one and is at `to` in this one stays where it was seen,
   * unless all was seen before: then all is.
   */
  show(content: SVGGElement, size: Size, kept?: { from: Point; to: Point }): void {
    this.#content = content
    this.#size = size
    if (this.#isFitted || kept === undefined) return void this.fit()
    const { from, to } = kept
    this.#offset = {
      x: this.#offset.x + (from.x - to.x) * this.#scale,
      y: this.#offset.y + (from.y - to.y) * this.#scale,
    }
    this.#paint()
  }

  /** Shows all of it. */
  fit(): void {
    const { clientWidth, clientHeight } = this.#frame
    this.#scale = Math.min(this.#fitScale(), MAX_FIT_SCALE)
    this.#offset = {
      x: (clientWidth - this.#size.width * this.#scale) / 2,
      y: TOP + (clientHeight - TOP - MARGIN - this.#size.height * this.#scale) / 2,
    }
    this.#isFitted = true
    this.#paint()
  }

  /** Zooms around a point of the frame, or around its middle. */
  zoom(factor: number, around?: Point): void {
    const { clientWidth, clientHeight } = this.#frame
    const at = around ?? { x: clientWidth / 2, y: clientHeight / 2 }
    const least = Math.min(this.#fitScale(), 1) * MIN_FITS
    const scale = Math.min(Math.max(this.#scale * factor, least), MAX_SCALE)
    const grown = scale / this.#scale
    this.#scale = scale
    this.#moveTo({ x: at.x - (at.x - this.#offset.x) * grown, y: at.y - (at.y - this.#offset.y) * grown })
  }

  pan(x: number, y: number): void {
    this.#moveTo({ x: this.#offset.x + x, y: this.#offset.y + y })
  }

  /** Brings a part of the picture into the frame; `large` also makes it large enough to read. */
  reveal(centre: Point, size: Size, { large = false } = {}): void {
    if (large && this.#scale < REVEAL_SCALE) this.zoom(REVEAL_SCALE / this.#scale)
    const { clientWidth, clientHeight } = this.#frame
    const half = { x: (size.width * this.#scale) / 2 + MARGIN, y: (size.height * this.#scale) / 2 + MARGIN }
    const at = { x: centre.x * this.#scale + this.#offset.x, y: centre.y * this.#scale + this.#offset.y }
    const x = within(at.x, half.x, clientWidth - half.x) - at.x
    const y = within(at.y, half.y, clientHeight - half.y) - at.y
    if (x !== 0 || y !== 0) this.pan(x, y)
  }

  /** Whether the key was one that pans or zooms. */
  key(key: string): boolean {
    const pans: Record<string, readonly [number, number]> = {
      ArrowLeft: [PAN_STEP, 0],
      ArrowRight: [-PAN_STEP, 0],
      ArrowUp: [0, PAN_STEP],
      ArrowDown: [0, -PAN_STEP],
    }
    const pan = pans[key]
    if (pan !== undefined) this.pan(...pan)
    else if (key === '+' || key === '=') this.zoom(ZOOM_STEP)
    else if (key === '-' || key === '_') this.zoom(1 / ZOOM_STEP)
    else if (key === '0') this.fit()
    else return false
    return true
  }

  #wheel(event: WheelEvent): void {
    const unit = WHEEL_UNITS[event.deltaMode] ?? 1
    if (event.ctrlKey || event.metaKey) {
      const turned = within(event.deltaY * unit, -MAX_WHEEL, MAX_WHEEL)
      this.zoom(Math.exp(-turned * ZOOM_PER_WHEEL), this.#pointIn(event))
    } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.pan(-event.deltaX * unit, 0)
    else return
    event.preventDefault()
  }

  #press(event: PointerEvent): void {
    if (event.button !== 0) return
    if (this.#pointers.size === 0) this.#travelled = 0
    this.#pointers.set(event.pointerId, this.#pointIn(event))
  }

  #move(event: PointerEvent): void {
    const from = this.#pointers.get(event.pointerId)
    if (from === undefined) return
    // It was let go outside the frame.
    if (event.buttons === 0) return void this.#release(event.pointerId)
    const to = this.#pointIn(event)
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1]
    this.#travelled += Math.hypot(to.x - from.x, to.y - from.y)
    this.#pointers.set(event.pointerId, to)
    if (!this.wasDragged) return
    // From here on the press is no click, wherever it ends.
    this.#frame.setPointerCapture(event.pointerId)
    if (other === undefined) this.pan(to.x - from.x, to.y - from.y)
    else this.#pinch(from, to, other)
  }

  #pinch(from: Point, to: Point, other: Point): void {
    const spread = (point: Point) => Math.max(Math.hypot(point.x - other.x, point.y - other.y), 1)
    const middle = { x: (to.x + other.x) / 2, y: (to.y + other.y) / 2 }
    this.pan((to.x - from.x) / 2, (to.y - from.y) / 2)
    this.zoom(spread(to) / spread(from), middle)
  }

  #release(pointer: number): void {
    this.#pointers.delete(pointer)
  }

  #moveTo(offset: Point): void {
    const { clientWidth, clientHeight } = this.#frame
    // Some of the picture always stays in the frame.
    const [width, height] = [this.#size.width * this.#scale, this.#size.height * this.#scale]
    const keep = 4 * MARGIN
    this.#offset = {
      x: within(offset.x, Math.min(keep, clientWidth) - width, clientWidth - keep),
      y: within(offset.y, Math.min(keep, clientHeight) - height, clientHeight - keep),
    }
    this.#isFitted = false
    this.#frame.classList.add('moving')
    clearTimeout(this.#rest)
    this.#rest = setTimeout(() => this.#frame.classList.remove('moving'), REST_MS)
    this.#paint()
  }

  /** Once a frame, however many pointers moved. */
  #paint(): void {
    if (this.#frameWanted) return
    this.#frameWanted = true
    requestAnimationFrame(() => {
      this.#frameWanted = false
      const { x, y } = this.#offset
      this.#content?.setAttribute('transform', `translate(${x} ${y}) scale(${this.#scale})`)
      this.#frame.style.setProperty(
        '--numbers',
        `${Math.max(1, FULL_NUMBERS_SCALE / this.#scale) * NUMBERS_PX}px`,
      )
      this.#frame.classList.toggle('without-numbers', this.#scale < NUMBERS_SCALE)
      this.#frame.classList.toggle('without-names', this.#scale < NAMES_SCALE)
    })
  }

  #fitScale(): number {
    const { clientWidth, clientHeight } = this.#frame
    const [width, height] = [clientWidth - 2 * MARGIN, clientHeight - TOP - MARGIN]
    return Math.max(Math.min(width / this.#size.width, height / this.#size.height), 0.001)
  }

  #toPicture({ x, y }: Point): Point {
    return { x: (x - this.#offset.x) / this.#scale, y: (y - this.#offset.y) / this.#scale }
  }

  #pointIn({ clientX, clientY }: MouseEvent): Point {
    const { left, top } = this.#frame.getBoundingClientRect()
    return { x: clientX - left, y: clientY - top }
  }
}

/** The nearest value that is neither below nor above; the lower bound where they cross. */
function within(value: number, least: number, most: number): number {
  return Math.max(Math.min(value, most), least)
}
