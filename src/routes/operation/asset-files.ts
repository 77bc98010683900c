import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { statusCss } from '../../../views/layout/status-css.ts'
import { packageHome, ROOT } from '../../files.ts'

/**
 * Files of the repository that browsers load, under their path in the repository, so that scripts can import one
 * another.
 */
const OWN_FILES =
  /^views\/([\w-]+\/)+[\w-]+\.(css|svg)$|^views\/[\w-]+\/client\/([\w-]+\/)*[\w-]+\.ts$|^src\/core\/sets\/[\w-]+\.ts$/
/** Text appended to a file, derived from the closed sets. */
const ADDED: Readonly<Record<string, string>> = { 'views/layout/weir.css': statusCss() }
const HTMX = packageHome('htmx.org')
const MERMAID = packageHome('mermaid')
const ELK = packageHome('elkjs', MERMAID)
const UPLOT = packageHome('uplot')
const MERMAID_FILE = /^mermaid\/([\w-]+\/|[\w.-]+\.min\/)*[\w.-]+\.mjs$/

/** Files of packages that browsers load, by the path they have below `/assets/`: one file, or several as one. */
const PACKAGE_FILES: Record<string, readonly string[]> = {
  // htmx scans the page in a task of its own right after it has run. An extension in a separate file could load after
  // that: it would miss every element, and the page would never get live updates.
  'htmx.js': [join(HTMX, 'dist/htmx.min.js'), join(HTMX, 'dist/ext/hx-sse.min.js')],
  // The layout engine that Mermaid brings with it.
  'elk-worker.js': [join(ELK, 'lib/elk-worker.min.js')],
  'uplot.js': [join(UPLOT, 'dist/uPlot.iife.min.js')],
  'uplot.css': [join(UPLOT, 'dist/uPlot.min.css')],
}

/**
 * The versioned folder below `/assets/`: a hash over all files, so that browsers may cache each file forever. It is
 * the same for all files, because scripts import one another by relative paths.
 */
export const ASSET_FOLDER = `v-${contentHash()}`

/** The files behind a path below `/assets/`, which may not exist; none for an invalid path. */
export function locateAsset(path: string): readonly string[] {
  const fromPackage = PACKAGE_FILES[path]
  if (fromPackage !== undefined) return fromPackage
  if (path.startsWith('mermaid/')) {
    return MERMAID_FILE.test(path) ? [join(MERMAID, 'dist', path.slice('mermaid/'.length))] : []
  }
  return OWN_FILES.test(path) ? [join(ROOT, path)] : []
}

/** Text that is served in addition to a file's own content. */
export function addedTo(path: string): string | undefined {
  return ADDED[path]
}

/** Hashes our own files by content, and packages by version, because a version doesn't change. */
function contentHash(): string {
  const hash = new Bun.CryptoHasher('sha256')
  const paths = ['views', 'src/core/sets'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((each) => `${folder}/${each}`),
  )
  for (const path of paths.map((each) => each.replaceAll('\\', '/')).sort()) {
    if (OWN_FILES.test(path)) hash.update(`${path}\n`).update(readFileSync(join(ROOT, path)))
  }
  for (const home of [HTMX, MERMAID, ELK, UPLOT]) hash.update(readFileSync(join(home, 'package.json')))
  return hash.digest('hex').slice(0, 16)
}
