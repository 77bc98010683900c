// The texts on a drawing's nodes and edges.
import { statusLabel } from '../../../../src/core/sets/statuses.ts'
import type { DrawnService } from '../graph.ts'

export const SVG = 'http://www.w3.org/2000/svg'
/** How far the first line of an edge's numbers stands above it, and the next one below that. */
const NUMBERS_ABOVE_EM = 0.4
const NUMBERS_APART_EM = 1.6
/** The status badge, in pixels: its font is monospaced. */
const BADGE_HEIGHT = 15
const BADGE_LETTER = 6.1
/** Relative luminance on which #111 and white contrast equally. */
const EVEN_LUMINANCE = 0.192

/** One line above the middle of the edge, the next one below it. */
export function writeNumbers(text: SVGTextElement, lines: readonly string[]): void {
  text.replaceChildren(
    ...lines.map((line, at) => {
      const span = document.createElementNS(SVG, 'tspan')
      span.textContent = line
      span.setAttribute('x', '0')
      span.setAttribute('y', '0')
      span.setAttribute('dy', `${at * NUMBERS_APART_EM - NUMBERS_ABOVE_EM}em`)
      return span
    }),
  )
}

/** The status, on the lower edge of its node. */
export function writeBadge(
  { element, height }: { element: SVGGElement; height: number },
  { status }: DrawnService,
): void {
  element.querySelector(':scope > .badge')?.remove()
  if (status === undefined) return
  const words = statusLabel(status)
  const width = words.length * BADGE_LETTER + 12
  const badge = document.createElementNS(SVG, 'g')
  const plate = document.createElementNS(SVG, 'rect')
  const text = document.createElementNS(SVG, 'text')
  badge.setAttribute('class', `badge ${status}`)
  badge.setAttribute('transform', `translate(0, ${height / 2})`)
  plate.setAttribute('x', String(-width / 2))
  plate.setAttribute('y', String(-BADGE_HEIGHT / 2))
  plate.setAttribute('width', String(width))
  plate.setAttribute('height', String(BADGE_HEIGHT))
  plate.setAttribute('rx', String(BADGE_HEIGHT / 2))
  text.textContent = words
  text.setAttribute('y', '3.5')
  badge.append(plate, text)
  element.append(badge)
}

/** Text that is shown on hover, and names the element for screen readers. */
export function describe(element: SVGElement, text: string): void {
  const title = element.querySelector(':scope > title') ?? document.createElementNS(SVG, 'title')
  title.textContent = text
  element.prepend(title)
}

/** A readable text color on a fill, as the browser computed it. */
export function textColorOn(fill: string): string {
  const [red = 0, green = 0, blue = 0] = (fill.match(/[\d.]+/g) ?? []).map((channel) => {
    const part = Number(channel) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > EVEN_LUMINANCE ? '#111' : '#fff'
}
