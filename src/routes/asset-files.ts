import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageHome, ROOT } from '../files.ts'

const VIEWS = join(ROOT, 'views')
const HTMX = packageHome('htmx.org')
const MERMAID = packageHome('mermaid')
const ELK = packageHome('elkjs', MERMAID)
const UPLOT = packageHome('uplot')

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
  if (path.startsWith('..') || path.includes('\0')) return []
  const fromPackage = PACKAGE_FILES[path]
  if (fromPackage !== undefined) return fromPackage
  if (path.startsWith('mermaid/')) {
    return path.endsWith('.mjs') ? [join(MERMAID, 'dist', path.slice('mermaid/'.length))] : []
  }
  return [join(VIEWS, path.endsWith('.ts') ? 'client' : 'assets', path)]
}

/** Over our own files as they are, and over packages by their version: those don't change within one. */
function contentHash(): string {
  const hash = new Bun.CryptoHasher('sha256')
  for (const folder of ['client', 'assets']) {
    for (const name of readdirSync(join(VIEWS, folder)).sort()) {
      hash.update(`${folder}/${name}\n`).update(readFileSync(join(VIEWS, folder, name)))
    }
  }
  for (const home of [HTMX, MERMAID, ELK, UPLOT]) hash.update(readFileSync(join(home, 'package.json')))
  return hash.digest('hex').slice(0, 16)
}
