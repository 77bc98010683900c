/** What a reader prefers, kept in the reader's browser. */
export interface Preferences {
  theme: (typeof THEMES)[number]
  /** The zone that times are written in. */
  zone: (typeof ZONES)[number]
  /** Rows on a page of a list. */
  rows: (typeof ROWS)[number]
}

export const THEMES = ['system', 'dark', 'light'] as const
export const ZONES = ['reader', 'utc'] as const
export const ROWS = [25, 50, 100] as const
export const MAX_ROWS = 100

const DEFAULTS: Preferences = { theme: 'system', zone: 'reader', rows: 50 }
const COOKIE = 'weir-preferences'
const YEAR_SECONDS = 31_536_000
/** How every page begins, and where it says which colours it can have before its style sheet is there. */
const PAGE_START = '<!doctype html><html lang="en">'
const COLOURS = '<meta name="color-scheme" content="dark light"/>'

/** What the reader of a page prefers; what isn't known or isn't possible is as it is by default. */
export function preferencesOf(request: Request): Preferences {
  const cookies = (request.headers.get('cookie') ?? '').split(';').map((each) => each.trim())
  const kept = cookies.find((each) => each.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1) ?? ''
  return checkPreferences(Object.fromEntries(new URLSearchParams(kept)))
}

/** Preferences as a form or a cookie has them. */
export function checkPreferences({ theme, zone, rows }: Record<string, string>): Preferences {
  return {
    theme: THEMES.find((each) => each === theme) ?? DEFAULTS.theme,
    zone: ZONES.find((each) => each === zone) ?? DEFAULTS.zone,
    rows: ROWS.find((each) => String(each) === rows) ?? DEFAULTS.rows,
  }
}

/** The value of `Set-Cookie` that keeps preferences for a year. */
export function preferencesCookie({ theme, zone, rows }: Preferences): string {
  const kept = new URLSearchParams({ theme, zone, rows: String(rows) })
  return `${COOKIE}=${kept}; Path=/; Max-Age=${YEAR_SECONDS}; SameSite=Lax; HttpOnly`
}

/**
 * A page in its reader's colours and zone, so that the first paint has them.
 * @returns undefined where the answer stays as it is: it is no page, or all is as the reader's system has it
 */
export async function dressPage(request: Request, answer: unknown): Promise<Response | undefined> {
  const { theme, zone } = preferencesOf(request)
  if (theme === 'system' && zone === 'reader') return undefined
  if (!(answer instanceof Response) || !answer.headers.get('content-type')?.startsWith('text/html'))
    return undefined
  const text = await answer.text()
  const { status, headers } = answer
  return new Response(text.startsWith(PAGE_START) ? dressed(text, theme, zone) : text, { status, headers })
}

function dressed(page: string, theme: Preferences['theme'], zone: Preferences['zone']): string {
  const marks = `${theme === 'system' ? '' : ` data-theme="${theme}"`}${zone === 'reader' ? '' : ` data-zone="${zone}"`}`
  const text = `${PAGE_START.slice(0, -1)}${marks}>${page.slice(PAGE_START.length)}`
  return theme === 'system' ? text : text.replace(COLOURS, COLOURS.replace('dark light', theme))
}
