import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageHome, ROOT } from '../../files.ts'

/** What of the repository browsers load, under the path that it has there: so that scripts find one another. */
const OWN_FILES = /^views\/([\w-]+\/)+[\w-]+\.(css|svg)$|^views\/[\w-]+\/client\/([\w-]+\/)*[\w-]+\.ts$/
const HTMX = packageHome('htmx.org')
const MERMAID = packageHome('mermaid')
const ELK = packageHome('elkjs', MERMAID)
const UPLOT = packageHome('uplot')
const MERMAID_FILE = /^mermaid\/([\w-]+\/|[\w.-]+\.min\/)*[\w.-]+\.mjs$/

/** Files of packages that browsers load, by the path they have below `/assets/`: one file, or several as one. */
const PACKAGE_FILES: Record<string, readonly string[]> = {
  // htmx looks over the page in a task of its own, soon after it has run: an extension that came in a file of its own,
  // and later than that, would find no element, and the page would never hear of anything.
  'htmx.js': [join(HTMX, 'dist/htmx.min.js'), join(HTMX, 'dist/ext/hx-sse.min.js')],
  // The layout engine that Mermaid brings with it.
  'elk-worker.js': [join(ELK, 'lib/elk-worker.min.js')],
  'uplot.js': [join(UPLOT, 'dist/uPlot.iife.min.js')],
  'uplot.css': [join(UPLOT, 'dist/uPlot.min.css')],
}

/**
 * The folder below `/assets/` that what is there now is asked for under: a hash over all of it, so that a browser may
 * keep each file for good. It is one for all, because scripts name one another by relative paths.
 */
export const ASSET_FOLDER = `v-${contentHash()}`

/** The files behind a path below `/assets/`, which may not be there; none for a path that can't be one. */
export function locateAsset(path: string): readonly string[] {
  const fromPackage = PACKAGE_FILES[path]
  if (fromPackage !== undefined) return fromPackage
  if (path.startsWith('mermaid/')) {
    return MERMAID_FILE.test(path) ? [join(MERMAID, 'dist', path.slice('mermaid/'.length))] : []
  }
  return OWN_FILES.test(path) ? [join(ROOT, path)] : []
}

/** Over our own files as they are, and over packages by their version: those don't change within one. */
function contentHash(): string {
  const hash = new Bun.CryptoHasher('sha256')
  const paths = readdirSync(join(ROOT, 'views'), { recursive: true, encoding: 'utf8' })
  for (const path of paths.map((each) => `views/${each.replaceAll('\\', '/')}`).sort()) {
    if (OWN_FILES.test(path)) hash.update(`${path}\n`).update(readFileSync(join(ROOT, path)))
  }
  for (const home of [HTMX, MERMAID, ELK, UPLOT]) hash.update(readFileSync(join(home, 'package.json')))
  return hash.digest('hex').slice(0, 16)
}
