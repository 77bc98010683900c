import { normalize } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { Elysia } from 'elysia'
import { Problem } from '../../errors.ts'
import { acceptsCoding } from '../../hub/frame.ts'
import { ASSET_FOLDER, addedTo, locateAsset } from './asset-files.ts'

/** Content codings, best compression first. A file is compressed once for each that is requested. */
const CODINGS = ['zstd', 'gzip'] as const
type Coding = (typeof CODINGS)[number]
/** The best compression that takes a tenth of a second for the largest file. */
const ZSTD_LEVEL = 12
const GZIP_LEVEL = 9

/**
 * An older or newer versioned folder: requested by a page that stayed open during an upgrade, or by one from another
 * process.
 */
const ANY_FOLDER = /^v-[0-9a-f]{16}\//

/** Loaded by the sign-in page and by error pages. */
const BEFORE_LOGIN = ['views/layout/weir.css', 'views/layout/weir.svg', 'views/access/login.css'] as const

const NEW_LINE = new Uint8Array([10])

interface Asset {
  type: string
  hash: string
  plain: Uint8Array<ArrayBuffer>
  coded: Map<Coding, Promise<Blob>>
}

/** All assets of the console's pages; nothing comes from another host. */
export function assetRoutes() {
  const transpiler = new Bun.Transpiler({ loader: 'ts', target: 'browser', minifyWhitespace: true })
  const loaded = new Map<string, Promise<Asset | undefined>>()

  const serve = async (asked: string, request: Request) => {
    const isCurrent = asked.startsWith(`${ASSET_FOLDER}/`)
    const path = normalize(asked.replace(ANY_FOLDER, ''))
    const asset = await remember(path, () => load(path, transpiler))
    if (asset === undefined) throw new Problem('not_found', `Asset ${path} not found.`)
    return answer(asset, request.headers, isCurrent)
  }

  const options = { detail: { hide: true } } as const
  const app = new Elysia().get('/assets/*', ({ params, request }) => serve(params['*'], request), options)
  // Separate routes, because access is decided by route.
  for (const file of BEFORE_LOGIN) {
    app.get(`/assets/${file}`, ({ request }) => serve(file, request), options)
    app.get(
      `/assets/:folder/${file}`,
      ({ params, request }) => serve(`${params.folder}/${file}`, request),
      options,
    )
  }
  return app

  /** Bounded by the number of files: a path that isn't found isn't cached. */
  function remember(path: string, read: () => Promise<Asset | undefined>) {
    const known = loaded.get(path)
    if (known !== undefined) return known
    const asset = read()
    loaded.set(path, asset)
    const forget = () => void loaded.delete(path)
    asset.then((found) => found ?? forget(), forget)
    return asset
  }
}

async function answer(asset: Asset, asked: Headers, isCurrent: boolean): Promise<Response> {
  const coding = CODINGS.find((each) => acceptsCoding(asked, each))
  // A strong ETag identifies bytes, so each coding has its own (RFC 9110, 8.8.3.3).
  const etag = coding === undefined ? `"${asset.hash}"` : `"${asset.hash}-${coding}"`
  const headers: Record<string, string> = {
    'Content-Type': asset.type,
    'Cache-Control': isCurrent ? 'public, max-age=31536000, immutable' : 'no-cache',
    ETag: etag,
    Vary: 'Accept-Encoding',
    'X-Content-Type-Options': 'nosniff',
  }
  const held = (asked.get('if-none-match') ?? '').split(',').map((each) => each.trim().replace(/^W\//, ''))
  if (held.includes(etag)) return new Response(null, { status: 304, headers })
  if (coding === undefined) return new Response(asset.plain, { headers })
  return new Response(await coded(asset, coding), { headers: { ...headers, 'Content-Encoding': coding } })
}

function coded(asset: Asset, coding: Coding): Promise<Blob> {
  const known = asset.coded.get(coding)
  if (known !== undefined) return known
  const packed = compress(asset.plain, coding)
  asset.coded.set(coding, packed)
  return packed
}

async function compress(plain: Uint8Array<ArrayBuffer>, coding: Coding): Promise<Blob> {
  if (coding === 'gzip')
    return new Blob([Uint8Array.from(await promisify(gzip)(plain, { level: GZIP_LEVEL }))])
  return new Blob([Uint8Array.from(await Bun.zstdCompress(plain, { level: ZSTD_LEVEL }))])
}

async function load(path: string, transpiler: Bun.Transpiler): Promise<Asset | undefined> {
  const files = locateAsset(path).map((file) => Bun.file(file))
  const [first] = files
  if (first === undefined || !(await first.exists())) return undefined
  const source = await contents(files, addedTo(path))
  const plain = path.endsWith('.ts')
    ? new TextEncoder().encode(transpiler.transformSync(new TextDecoder().decode(source)))
    : source
  const type = /\.m?[jt]s$/.test(path) ? 'text/javascript; charset=utf-8' : first.type
  return { type, hash: Bun.hash(plain).toString(36), plain, coded: new Map() }
}

/** Concatenated, each starting on a new line. */
async function contents(files: readonly Bun.BunFile[], added?: string): Promise<Uint8Array<ArrayBuffer>> {
  const parts = await Promise.all(files.map((file) => file.bytes()))
  if (added !== undefined) parts.push(new TextEncoder().encode(added))
  return Buffer.concat(parts.flatMap((part, index) => (index === 0 ? part : [NEW_LINE, part])))
}
