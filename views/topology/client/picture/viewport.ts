// The visible part of the picture and its scale: panned and zoomed by mouse, touch and keyboard.
import type { Extent, Point } from './layout.ts'

/** Largest scale to fill the frame, and largest scale by zooming. */
const MAX_FIT_SCALE = 1.5
const MAX_SCALE = 4
/** Smallest size of a picture relative to its frame. */
const MIN_FITS = 0.5
const MARGIN = 16
/** Height of the buttons above the picture, which stays below them when all is shown. */
const TOP = 56
/** Steps of keys and buttons, in pixels and as factors. */
const PAN_STEP = 60
const ZOOM_STEP = 1.25
/** Zoom per pixel of wheel movement or pinch, as an exponent of e. */
const ZOOM_PER_WHEEL = 0.0025
const MAX_WHEEL = 200
/** Pixels that a line or page of wheel movement counts as. */
const WHEEL_UNITS = [1, 16, 400]
/** A pointer that moves less than this, in pixels, is a click. */
const CLICK_SLACK = 5
/** Below these scales, edge numbers and node names are too small to read, and are hidden. */
const NUMBERS_SCALE = 0.42
const NAMES_SCALE = 0.22
/** Font size of numbers, in pixels; below this scale they grow, so that they don't shrink further. */
const NUMBERS_PX = 11
const FULL_NUMBERS_SCALE = 0.75
/** The picture counts as moving until this long after its last step, in milliseconds. */
const REST_MS = 200
/** Least scale of a revealed node. */
const REVEAL_SCALE = 0.7

/** The visible part of the picture. The plain wheel scrolls the page; with Ctrl it zooms. */
export class Viewport {
  readonly #frame: HTMLElement
  readonly #pointers = new Map<number, Point>()
  #content: SVGGElement | undefined
  #size: Extent = { width: 1, height: 1 }
  #offset: Point = { x: 0, y: 0 }
  #scale = 1
  #isFitted = true
  #traveled = 0
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

  /** Whether the pointer's last press moved the picture: its click is ignored then. */
  get wasDragged(): boolean {
    return this.#traveled > CLICK_SLACK
  }

  /** The point of the picture in the middle of the frame. */
  get center(): Point {
    const { clientWidth, clientHeight } = this.#frame
    return this.#toPicture({ x: clientWidth / 2, y: clientHeight / 2 })
  }

  /**
   * Shows another picture. The point at `from` in the old one and `to` in the new one keeps its position on screen,
   * unless the whole old picture was visible: then the new one is, too.
   */
  show(content: SVGGElement, size: Extent, kept?: { from: Point; to: Point }): void {
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

  /** Shows the whole picture. */
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

  /** Moves a part of the picture into the frame; `large` also makes it large enough to read. */
  reveal(center: Point, size: Extent, { large = false } = {}): void {
    if (large && this.#scale < REVEAL_SCALE) this.zoom(REVEAL_SCALE / this.#scale)
    const { clientWidth, clientHeight } = this.#frame
    const half = { x: (size.width * this.#scale) / 2 + MARGIN, y: (size.height * this.#scale) / 2 + MARGIN }
    const at = { x: center.x * this.#scale + this.#offset.x, y: center.y * this.#scale + this.#offset.y }
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
    if (this.#pointers.size === 0) this.#traveled = 0
    this.#pointers.set(event.pointerId, this.#pointIn(event))
  }

  #move(event: PointerEvent): void {
    const from = this.#pointers.get(event.pointerId)
    if (from === undefined) return
    // The pointer was released outside the frame.
    if (event.buttons === 0) return void this.#release(event.pointerId)
    const to = this.#pointIn(event)
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1]
    this.#traveled += Math.hypot(to.x - from.x, to.y - from.y)
    this.#pointers.set(event.pointerId, to)
    if (!this.wasDragged) return
    // From here on the press isn't a click.
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
    // Part of the picture always stays in the frame.
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

  /** Once per animation frame, however many pointers moved. */
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

/** Clamps a value; the lower bound wins if the bounds cross. */
function within(value: number, least: number, most: number): number {
  return Math.max(Math.min(value, most), least)
}
