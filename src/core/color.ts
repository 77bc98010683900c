/** The accepted color names with their values. A closed list: no other name can reach a style sheet. */
const NAMED: Readonly<Record<string, string>> = {
  aqua: '#00ffff',
  black: '#000000',
  blue: '#0000ff',
  brown: '#a52a2a',
  cyan: '#00ffff',
  fuchsia: '#ff00ff',
  gold: '#ffd700',
  gray: '#808080',
  green: '#008000',
  grey: '#808080',
  lime: '#00ff00',
  magenta: '#ff00ff',
  maroon: '#800000',
  navy: '#000080',
  olive: '#808000',
  orange: '#ffa500',
  pink: '#ffc0cb',
  purple: '#800080',
  red: '#ff0000',
  silver: '#c0c0c0',
  teal: '#008080',
  violet: '#ee82ee',
  white: '#ffffff',
  yellow: '#ffff00',
}
const HEX = /^#[0-9a-f]{6}$/
/** Relative luminance on which #111 and white contrast equally: (L + 0.05)² = 1.05 × 0.0556. */
const EVEN_LUMINANCE = 0.192

/** The names `parseColor` knows, in alphabetical order. */
export const COLOR_NAMES: readonly string[] = Object.keys(NAMED)

/** A known color name or `#rrggbb`, in lower case; undefined for anything else, `#rgb` and spaces included. */
export function parseColor(text: string): string | undefined {
  const color = text.toLowerCase()
  return HEX.test(color) || Object.hasOwn(NAMED, color) ? color : undefined
}

/**
 * Near-black or white, whichever is easier to read on the fill.
 * @see https://www.w3.org/TR/WCAG22/#dfn-relative-luminance
 */
export function textColorOn(fill: string): '#111' | '#fff' {
  const hex = NAMED[fill] ?? fill
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) =>
    linear(Number.parseInt(hex.slice(at, at + 2), 16)),
  )
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > EVEN_LUMINANCE ? '#111' : '#fff'
}

function linear(channel: number): number {
  const part = channel / 255
  return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
}
