import type { Child } from 'hono/jsx'
import { acceptsGzip } from '../../hub/frame.ts'
import { ASSET_FOLDER } from '../operation/asset-files.ts'

/** No inline script anywhere; inline styles only where a library on the page makes them. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "font-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'"
const POLICY_INLINE_STYLE = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")

/** Compressing smaller bodies saves less than the added headers cost, in bytes. */
const MIN_COMPRESSED_BYTES = 1_024

export interface HtmlOptions {
  status?: number
  /** For pages whose library styles elements inline (Mermaid). */
  inlineStyle?: boolean
}

/** A page or a fragment as a response, with the headers that keep it from running foreign content. */
export async function html(view: Child, { status = 200, inlineStyle }: HtmlOptions = {}): Promise<Response> {
  // Text and attribute values contain no raw quotes, so this matches only an attribute of ours.
  const text = String(await view).replaceAll('="/assets/', `="/assets/${ASSET_FOLDER}/`)
  const body = text.startsWith('<html') ? `<!doctype html>${text}` : text
  return new Response(body, { status, headers: pageHeaders({ inlineStyle }) })
}

/**
 * A page, compressed if the browser accepts it. Pages contain no secrets, so their compressed size reveals nothing;
 * the one page that does is marked `no-transform`.
 * @returns the compressed response; undefined if the response stays as it is.
 */
export async function compressPage(request: Request, answer: unknown): Promise<Response | undefined> {
  if (!(answer instanceof Response) || !acceptsGzip(request.headers)) return undefined
  const { status, headers } = answer
  if (!headers.get('content-type')?.startsWith('text/html') || headers.has('content-encoding'))
    return undefined
  if (headers.get('cache-control')?.includes('no-transform')) return undefined
  const plain = await answer.bytes()
  const isWorth = plain.length >= MIN_COMPRESSED_BYTES
  const body = isWorth ? Bun.gzipSync(plain) : plain
  const packed = new Response(body, { status, headers })
  packed.headers.append('Vary', 'Accept-Encoding')
  if (isWorth) packed.headers.set('Content-Encoding', 'gzip')
  return packed
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
