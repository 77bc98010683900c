import type { Child } from 'hono/jsx'
import { acceptsGzip } from '../../hub/frame.ts'
import { ASSET_FOLDER } from '../operation/asset-files.ts'

/** No inline script anywhere; inline styles only where a library on the page makes them. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "font-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'"
const POLICY_INLINE_STYLE = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")

/** Smaller bodies don't get smaller by more than the headers grow, in bytes. */
const MIN_COMPRESSED_BYTES = 1_024

export interface HtmlOptions {
  status?: number
  /** For pages whose library styles elements inline (Mermaid). */
  inlineStyle?: boolean
}

/** A page or a fragment as a response, with the headers that keep it harmless. */
export async function html(view: Child, { status = 200, inlineStyle }: HtmlOptions = {}): Promise<Response> {
  // Text and values of attributes hold no raw quote: this is only ever an attribute of ours.
  const text = String(await view).replaceAll('="/assets/', `="/assets/${ASSET_FOLDER}/`)
  const body = text.startsWith('<html') ? `<!doctype html>${text}` : text
  return new Response(body, { status, headers: pageHeaders({ inlineStyle }) })
}

/**
 * A page as its reader takes it. Pages never hold secrets, so how small they get tells nothing; the one that does says
 * that it is not to be transformed.
 * @returns the compressed answer; undefined where the answer stays as it is.
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
