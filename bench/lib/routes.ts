import { idOf } from './rows.ts'

/** A path with its query. */
export interface Asked {
  /** The same for all paths that differ only in IDs and times. */
  shape: string
  path: string
}

/** Sort orders and filters are requested one at a time; an order has two parameters. */
const MAX_WORDS = 2
/** More would mean that the console links to every row under its own shape. */
const MAX_PAGES = 250
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g
/** Parameters whose values are positions or times: they don't make another page. */
const PLACES = new Set(['after', 'before', 'from', 'to', 'at', 'q', 'tag', 'host', 'stream', 'by'])
/** Sample values for path and free-form query parameters. */
const SAMPLES: Record<string, string> = { q: '9', tag: 'team-1', host: 'host-1.example' }

/** Parameters that require another one. */
const NEEDS: Record<string, [string, string]> = { order: ['sort', 'name'] }

/** Every page that the console links to, starting from its navigation; one per shape. */
export async function findPages(url: string): Promise<Asked[]> {
  const found = new Map<string, Asked>()
  const waiting: Asked[] = []
  const add = (path: string) => {
    const asked = { shape: shapeOf(path), path }
    if (found.has(asked.shape) || found.size >= MAX_PAGES || wordsOf(path).length > MAX_WORDS) return
    found.set(asked.shape, asked)
    waiting.push(asked)
  }
  add('/')
  // One of each kind: the first streams of a list may all have the same.
  for (const id of [idOf(1), idOf(2)]) add(`/streams/${id}`)
  for (let asked = waiting.shift(); asked !== undefined; asked = waiting.shift()) {
    const response = await fetch(url + asked.path)
    const isPage = response.headers.get('content-type')?.startsWith('text/html') === true
    const text = await response.text()
    if (!isPage || asked.path.startsWith('/jobs')) continue
    for (const link of linksOf(text, url + asked.path)) {
      if (link.startsWith('/assets/') || link.startsWith('/api/')) continue
      add(link)
    }
  }
  return [...found.values()]
}

/** Every GET route of the OpenAPI document: alone, with each choice of each parameter, and with sample values. */
export async function findApi(url: string): Promise<Asked[]> {
  const document = (await (await fetch(`${url}/openapi/json`)).json()) as {
    paths: Record<string, { get?: { parameters?: Parameter[] } }>
  }
  return Object.entries(document.paths).flatMap(([path, { get }]) => {
    if (get === undefined) return []
    // A polled stream, because it has a document, changes and savings.
    const bare = path.replace('{seq}', '1').replace(/\{\w+\}/g, idOf(path.includes('/streams/') ? 2 : 1))
    const parameters = (get.parameters ?? []).filter((each) => each.in === 'query')
    const always = parameters
      .filter((each) => each.required)
      .map((each) => [each.name, SAMPLES[each.name] ?? '1'])
    const queries = [
      [],
      ...parameters
        .filter((each) => !each.required)
        .flatMap(({ name, schema }) =>
          (schema?.enum ?? [SAMPLES[name]]).map((value) => [
            ...(NEEDS[name] ? [NEEDS[name]] : []),
            [name, value],
          ]),
        ),
    ]
    return queries
      .filter((query) => query.every(([, value]) => value !== undefined))
      .map((query) => {
        const text = new URLSearchParams([...always, ...query] as [string, string][]).toString()
        const asked = text === '' ? '' : `?${text}`
        return { shape: `${path}${asked}`, path: `${bare}${asked}` }
      })
  })
}

interface Parameter {
  name: string
  in: string
  required?: boolean
  schema?: { enum?: string[] }
}

function linksOf(page: string, base: string): string[] {
  return [...page.matchAll(/\s(?:href|hx-get)="([^"#]+)/g)].flatMap(([, link = '']) => {
    const resolved = new URL(link.replaceAll('&amp;', '&'), base)
    return resolved.origin === new URL(base).origin ? [resolved.pathname + resolved.search] : []
  })
}

function shapeOf(path: string): string {
  const { pathname, searchParams } = new URL(path, 'http://weir')
  const names = [...[...searchParams.keys()].filter((name) => PLACES.has(name)), ...wordsOf(path)]
  const kind = pathname.startsWith('/streams/') && isPolled(pathname) ? ' (polled)' : ''
  const plain = pathname.replace(UUID, ':id').replace(/\/\d+(?=\/|$)/g, '/:n')
  return `${plain}${names.length > 0 ? `?${names.sort().join('&')}` : ''}${kind}`
}

/** Parameters with a fixed set of choices. */
function wordsOf(path: string): string[] {
  const { searchParams } = new URL(path, 'http://weir')
  return [...searchParams].flatMap(([name, value]) => (PLACES.has(name) ? [] : [`${name}=${value}`]))
}

function isPolled(pathname: string): boolean {
  const [id] = pathname.match(UUID) ?? []
  return id !== undefined && Number.parseInt(id.slice(-4), 16) % 2 === 0
}
