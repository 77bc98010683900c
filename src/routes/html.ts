import type { Child } from 'hono/jsx'

/** No inline script anywhere; inline styles only where a library on the page makes them. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "font-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'"
const POLICY_INLINE_STYLE = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")

export interface HtmlOptions {
  status?: number
  /** For pages whose library styles elements inline (Mermaid, the OpenAPI viewer). */
  inlineStyle?: boolean
}

/** A page or a fragment as a response, with the headers that keep it harmless. */
export async function html(view: Child, { status = 200, inlineStyle }: HtmlOptions = {}): Promise<Response> {
  const text = String(await view)
  const body = text.startsWith('<html') ? `<!doctype html>${text}` : text
  return new Response(body, { status, headers: pageHeaders({ inlineStyle }) })
}

export function pageHeaders({
  inlineStyle = false,
}: Pick<HtmlOptions, 'inlineStyle'>): Record<string, string> {
  return {
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'no-store',
    'Content-Security-Policy': inlineStyle ? POLICY_INLINE_STYLE : POLICY,
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'same-origin',
  }
}
