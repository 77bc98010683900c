// What is written on a drawing's nodes and edges.
import type { Service } from '../graph.ts'
import { verdictWords } from '../words.ts'

export const SVG = 'http://www.w3.org/2000/svg'
/** How far the first line of an edge's numbers stands above it, and the next one below that. */
const NUMBERS_ABOVE_EM = 0.4
const NUMBERS_APART_EM = 1.6
/** The verdict's badge, in pixels: its letters are of one width. */
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

/** The verdict, on the lower edge of its node. */
export function writeBadge(
  { element, height }: { element: SVGGElement; height: number },
  { verdict }: Service,
): void {
  element.querySelector(':scope > .badge')?.remove()
  if (verdict === undefined) return
  const words = verdictWords(verdict)
  const width = words.length * BADGE_LETTER + 12
  const badge = document.createElementNS(SVG, 'g')
  const plate = document.createElementNS(SVG, 'rect')
  const text = document.createElementNS(SVG, 'text')
  badge.setAttribute('class', `badge ${verdict}`)
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

/** Text that is shown while the pointer is on the element, and that names it to screen readers. */
export function describe(element: SVGElement, text: string): void {
  const title = element.querySelector(':scope > title') ?? document.createElementNS(SVG, 'title')
  title.textContent = text
  element.prepend(title)
}

/** What reads well on a fill, as the browser computed it. */
export function textColourOn(fill: string): string {
  const [red = 0, green = 0, blue = 0] = (fill.match(/[\d.]+/g) ?? []).map((channel) => {
    const part = Number(channel) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > EVEN_LUMINANCE ? '#111' : '#fff'
}
