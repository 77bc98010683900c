import { dirname, join, normalize } from 'node:path'
import { Elysia } from 'elysia'
import { Problem } from '../errors.ts'

const VIEWS = join(import.meta.dir, '../../views')
const packageDir = (name: string, from = import.meta.dir) =>
  dirname(Bun.resolveSync(`${name}/package.json`, from))

const MERMAID = join(packageDir('mermaid'), 'dist')

/** Files of packages that browsers load, by the path they have below `/assets/`. */
const PACKAGE_FILES: Record<string, string> = {
  'htmx.js': join(packageDir('htmx.org'), 'dist/htmx.min.js'),
  'hx-sse.js': join(packageDir('htmx.org'), 'dist/ext/hx-sse.min.js'),
  // The layout engine that Mermaid brings with it.
  'elk-worker.js': join(packageDir('elkjs', MERMAID), 'lib/elk-worker.min.js'),
  'swagger-ui.js': join(packageDir('swagger-ui-dist'), 'swagger-ui-bundle.js'),
  'swagger-ui.css': join(packageDir('swagger-ui-dist'), 'swagger-ui.css'),
}

interface Asset {
  body: Blob | string
  type: string
  etag: string
}

/** Everything the console's pages load: nothing comes from another host. */
export function assetRoutes() {
  const transpiler = new Bun.Transpiler({ loader: 'ts', target: 'browser' })
  const loaded = new Map<string, Promise<Asset | undefined>>()

  return new Elysia().get(
    '/assets/*',
    async ({ params, request }) => {
      const path = normalize(params['*'])
      const asset = await remember(path, () => load(path, transpiler))
      if (asset === undefined) throw new Problem('not_found', `No asset ${path}.`)
      const headers = {
        'Content-Type': asset.type,
        'Cache-Control': 'no-cache',
        ETag: asset.etag,
        'X-Content-Type-Options': 'nosniff',
      }
      if (request.headers.get('if-none-match') === asset.etag)
        return new Response(null, { status: 304, headers })
      return new Response(asset.body, { headers })
    },
    { detail: { hide: true } },
  )

  /** Bounded by the number of files there are: what isn't found isn't kept. */
  function remember(path: string, read: () => Promise<Asset | undefined>) {
    const known = loaded.get(path)
    if (known !== undefined) return known
    const asset = read()
    loaded.set(path, asset)
    void asset.then((found) => found ?? loaded.delete(path))
    return asset
  }
}

async function load(path: string, transpiler: Bun.Transpiler): Promise<Asset | undefined> {
  const file = locate(path)
  if (file === undefined || !(await Bun.file(file).exists())) return undefined
  const source = await Bun.file(file).bytes()
  const etag = `"${Bun.hash(source).toString(36)}"`
  if (file.endsWith('.ts')) {
    const script = transpiler.transformSync(new TextDecoder().decode(source))
    return { body: script, type: 'text/javascript; charset=utf-8', etag }
  }
  const type = file.endsWith('.mjs') ? 'text/javascript; charset=utf-8' : Bun.file(file).type
  return { body: new Blob([source]), type, etag }
}

function locate(path: string): string | undefined {
  if (path.startsWith('..') || path.includes('\0')) return undefined
  const fromPackage = PACKAGE_FILES[path]
  if (fromPackage !== undefined) return fromPackage
  if (path.startsWith('mermaid/'))
    return path.endsWith('.mjs') ? join(MERMAID, path.slice('mermaid/'.length)) : undefined
  if (path.endsWith('.ts')) return join(VIEWS, 'client', path)
  return join(VIEWS, 'assets', path)
}
