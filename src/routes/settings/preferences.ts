/** A reader's preferences, stored in the browser. */
export interface Preferences {
  theme: (typeof THEMES)[number]
  /** Time zone of displayed times. */
  zone: (typeof ZONES)[number]
  /** Rows per page of a list. */
  rows: (typeof ROWS)[number]
}

export const THEMES = ['system', 'dark', 'light'] as const
export const ZONES = ['reader', 'utc'] as const
export const ROWS = [25, 50, 100] as const
export const MAX_ROWS = 100

const DEFAULTS: Preferences = { theme: 'system', zone: 'reader', rows: 50 }
const COOKIE = 'weir-preferences'
const YEAR_SECONDS = 31_536_000

/** The preferences of a request's reader; unknown or invalid values get their default. */
export function preferencesOf(request: Request): Preferences {
  const cookies = (request.headers.get('cookie') ?? '').split(';').map((each) => each.trim())
  const kept = cookies.find((each) => each.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1) ?? ''
  return checkPreferences(Object.fromEntries(new URLSearchParams(kept)))
}

/** Preferences from a form or a cookie. */
export function checkPreferences({ theme, zone, rows }: Record<string, string>): Preferences {
  return {
    theme: THEMES.find((each) => each === theme) ?? DEFAULTS.theme,
    zone: ZONES.find((each) => each === zone) ?? DEFAULTS.zone,
    rows: ROWS.find((each) => String(each) === rows) ?? DEFAULTS.rows,
  }
}

/** The `Set-Cookie` value that stores preferences for a year. */
export function preferencesCookie({ theme, zone, rows }: Preferences): string {
  const kept = new URLSearchParams({ theme, zone, rows: String(rows) })
  return `${COOKIE}=${kept}; Path=/; Max-Age=${YEAR_SECONDS}; SameSite=Lax; HttpOnly`
}
