type Header = readonly [name: string, value: string]

/** Upstream content is shown only within pages: a response opened on its own may not run or load anything. */
const DATA_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"

/** Headers of every response. */
export const ALWAYS: readonly Header[] = [
  // JSON that holds HTML stays JSON.
  ['X-Content-Type-Options', 'nosniff'],
  // Other sites can't access Weir's windows or embed its responses as images or scripts.
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['X-Frame-Options', 'DENY'],
]

/** Headers of every response that doesn't have its own. */
export const UNLESS_SET: readonly Header[] = [
  ['Content-Security-Policy', DATA_POLICY],
  ['Referrer-Policy', 'same-origin'],
]
