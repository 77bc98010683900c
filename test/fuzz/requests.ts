import { gzipSync } from 'node:zlib'
import type { ApiDocument, ApiOperation, ApiParameter } from '../../src/routes/openapi/types.ts'
import { integer, pick, type Random, several } from '../core/seeded.ts'
import { mutated, ODD_TEXTS, randomBytes } from './bytes.ts'
import type { Values } from './values.ts'

export interface FuzzRequest {
  method: string
  /** With its query. */
  path: string
  headers: Record<string, string>
  body: Uint8Array | undefined
}

const PAGES = [
  '/',
  '/streams',
  '/streams/import',
  '/streams/live',
  '/incidents',
  '/channels',
  '/settings',
  '/storage',
  '/topology',
  '/docs',
  '/pulse',
  '/jobs',
  '/assets/views/layout/weir.css',
  '/assets/..%2f..%2fpackage.json',
  '/metrics',
  '/readyz',
  '/{id}',
  '/streams/{id}',
  '/streams/{id}/live',
  '/streams/{id}/document',
  '/streams/{id}/charts',
  '/streams/{id}/edit',
  '/streams/{id}/twin',
  '/incidents/{id}',
  '/channels/{id}',
  '/rules',
  '/proxy/',
  '/http://127.0.0.1:1/',
] as const
const FORMS = [
  '/streams',
  '/streams/new',
  '/streams/preview',
  '/streams/bulk',
  '/streams/import',
  '/streams/{id}/edit',
  '/streams/{id}/start',
  '/streams/{id}/stop',
  '/settings',
  '/incidents/{id}/acknowledge',
  '/rules',
  '/silences',
  '/channels',
  '/activate',
] as const
const FIELDS = [
  'url',
  'name',
  'kind',
  'tags',
  'intervalMs',
  'headers',
  'action',
  'ids',
  'filter',
  'text',
  'by',
  'note',
]
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']
const TYPES = [
  'application/json',
  'text/csv',
  'application/x-ndjson',
  'application/yaml',
  'multipart/form-data',
  '',
  ';',
]

/** What a hostile or careless client may send to a Weir, out of what its own document says that it takes. */
export class Requests {
  readonly #random: Random
  readonly #values: Values
  readonly #operations: { method: string; path: string; operation: ApiOperation }[]

  constructor(random: Random, values: Values, document: ApiDocument) {
    this.#random = random
    this.#values = values
    this.#operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        method: method.toUpperCase(),
        path,
        operation,
      })),
    )
  }

  /** One that registers a stream, so that there is something to ask for. */
  registration(): FuzzRequest {
    const kind = pick(this.#random, ['sse', 'poll', undefined])
    const body = { url: this.#values.url(), kind, intervalMs: 500, tags: ['shop'] }
    return json('POST', '/api/streams', body)
  }

  next(): FuzzRequest {
    const random = this.#random
    const draw = random()
    if (draw < 0.04) return this.registration()
    if (draw < 0.6) return this.#ofDocument()
    if (draw < 0.72) return this.#page()
    if (draw < 0.8) return this.#form()
    if (draw < 0.87) return this.#spans()
    if (draw < 0.95) return this.#import()
    return this.#proxied()
  }

  #ofDocument(): FuzzRequest {
    const random = this.#random
    const { method, path, operation } = pick(random, this.#operations)
    const parameters = operation.parameters ?? []
    const schema = operation.requestBody?.content['application/json']?.schema
    const value = operation.requestBody === undefined ? undefined : this.#values.of(schema)
    const plain = value === undefined ? undefined : Buffer.from(JSON.stringify(value))
    return {
      method: random() < 0.04 ? pick(random, METHODS) : method,
      path: this.#filled(path) + this.#query(parameters),
      headers: { ...this.#headers(), ...(plain && { 'Content-Type': 'application/json' }) },
      body: plain !== undefined && random() < 0.2 ? mutated(random, plain) : plain,
    }
  }

  #filled(path: string): string {
    return path.replace(/\{(\w+)\}/g, (_, name: string) =>
      path.startsWith('/proxy/')
        ? this.#values.url()
        : encodeURIComponent(wellFormed(this.#values.text(name))),
    )
  }

  #query(parameters: readonly ApiParameter[]): string {
    const random = this.#random
    const pairs = parameters
      .filter((parameter) => parameter.in === 'query' && (parameter.required || random() < 0.4))
      .map(({ name, schema }) => {
        const value = random() < 0.6 ? this.#values.of(schema, name) : this.#values.text(name)
        return `${name}=${encodeURIComponent(wellFormed(typeof value === 'string' ? value : (JSON.stringify(value) ?? '')))}`
      })
    if (random() < 0.04) pairs.push(pick(random, ['%', '=', 'a=%ff', '&&', '__proto__=1', 'limit=1&limit=2']))
    return pairs.length === 0 ? '' : `?${pairs.join('&')}`
  }

  #headers(): Record<string, string> {
    const random = this.#random
    const text = () =>
      pick(random, ODD_TEXTS)
        .replace(/[^\x20-\x7e]/g, '')
        .slice(0, 2_000)
    const headers: Record<string, string> = {}
    const some = (chance: number, name: string, value: string) => {
      if (random() < chance) headers[name] = value
    }
    some(
      0.2,
      'Accept',
      pick(random, ['application/x-ndjson', 'text/html', 'text/event-stream', '*/*', text()]),
    )
    some(0.2, 'Last-Event-ID', pick(random, ['0', '1', '99999999999999999', 'a.b', text()]))
    some(0.1, 'If-None-Match', pick(random, ['*', 'W/"a"', ',,,', text()]))
    some(0.1, 'Accept-Encoding', pick(random, ['gzip', 'zstd', 'gzip;q=0', ';', text()]))
    some(0.1, 'HX-Request', 'true')
    some(0.1, 'Cookie', `weir=${text().replaceAll(';', '')}`)
    some(0.05, 'X-Sd-Header', text())
    some(0.05, 'X-Forwarded-For', text())
    some(0.03, 'Range', 'bytes=0-1,5-2')
    some(0.03, 'Authorization', pick(random, ['Basic', 'Basic !!!', 'Bearer', `Bearer ${text()}`]))
    return headers
  }

  #page(): FuzzRequest {
    const path = this.#filled(pick(this.#random, PAGES))
    const names = [
      'q',
      'tag',
      'sort',
      'order',
      'after',
      'at',
      'window',
      'ids',
      'as',
      'kind',
      'range',
      'from',
      'to',
      'state',
    ]
    const query = several(this.#random, 2, () => pick(this.#random, names))
      .map((name) => `${name}=${encodeURIComponent(wellFormed(this.#values.text(name)))}`)
      .join('&')
    return {
      method: 'GET',
      path: query === '' ? path : `${path}?${query}`,
      headers: this.#headers(),
      body: undefined,
    }
  }

  #form(): FuzzRequest {
    const random = this.#random
    const form = new URLSearchParams(
      several(random, 6, () => pick(random, FIELDS)).map((name) => [
        name,
        wellFormed(this.#values.text(name)),
      ]),
    )
    const body = Buffer.from(form.toString())
    return {
      method: 'POST',
      path: this.#filled(pick(random, FORMS)),
      headers: { ...this.#headers(), 'Content-Type': 'application/x-www-form-urlencoded' },
      body: random() < 0.2 ? mutated(random, body) : body,
    }
  }

  /** OTLP in JSON and in bytes that may be protobuf, packed and broken. */
  #spans(): FuzzRequest {
    const random = this.#random
    const attribute = () => ({
      key: pick(random, ['service.name', 'server.address', 'url.full']),
      value: this.#values.odd(),
    })
    const span = () => ({
      traceId: pick(random, ['0af7651916cd43dd8448eb211c80319c', 'zz', 5]),
      spanId: pick(random, ['b7ad6b7169203331', '']),
      kind: integer(random, 7),
      startTimeUnixNano: pick<unknown>(random, ['1700000000000000000', -1, 'x']),
      endTimeUnixNano: pick<unknown>(random, ['1700000000100000000', '1', null]),
      attributes: several(random, 3, attribute),
    })
    const request = {
      resourceSpans: several(random, 3, () => ({
        resource: { attributes: several(random, 2, attribute) },
        scopeSpans: several(random, 2, () => ({ spans: several(random, 5, span) })),
      })),
    }
    const isJson = random() < 0.5
    const plain = isJson ? Buffer.from(JSON.stringify(request)) : Buffer.from(randomBytes(random, 400))
    const broken = random() < 0.3 ? mutated(random, plain) : plain
    const isPacked = random() < 0.3
    return {
      method: 'POST',
      path: '/v1/traces',
      headers: {
        'Content-Type': isJson ? 'application/json' : 'application/x-protobuf',
        ...(isPacked && { 'Content-Encoding': 'gzip' }),
      },
      body: isPacked ? (random() < 0.7 ? gzipSync(broken) : broken) : broken,
    }
  }

  #import(): FuzzRequest {
    const random = this.#random
    const line = () => ({
      url: this.#values.url(),
      kind: pick(random, ['sse', 'poll']),
      tags: [this.#values.text('tag')],
    })
    const lines = several(random, 4, line)
    const openapi = {
      openapi: pick<unknown>(random, ['3.0.0', '3.1.0', '2.0', 3]),
      servers: [{ url: this.#values.url() }],
      paths: {
        [this.#values.text('path')]: { get: this.#values.odd() },
        '/a/{b}': { get: {}, $ref: '#/paths/~1a' },
      },
    }
    const text = pick(random, [
      () => JSON.stringify(lines),
      () => lines.map((each) => JSON.stringify(each)).join('\n'),
      () => `url,kind,tags\n${lines.map(({ url, kind }) => `${url},${kind},"a`).join('\n')}`,
      () => JSON.stringify(openapi),
      () => `openapi: 3.0.0\npaths: &a\n  /x: *a\n`,
      () => '- '.repeat(2_000),
    ])()
    const plain = Buffer.from(text)
    const query = random() < 0.5 ? '?dryRun=true' : '?start=false&tag=imported'
    return {
      method: 'POST',
      path: `/api/streams/import${query}`,
      headers: { ...this.#headers(), 'Content-Type': pick(random, TYPES) },
      body: random() < 0.4 ? mutated(random, plain) : plain,
    }
  }

  #proxied(): FuzzRequest {
    const random = this.#random
    const query = pick(random, [
      '',
      '?intervalMs=500',
      '?mode=x',
      '?X-Sd-Header=a',
      '?payloadPointer=/a&arrayKeys=id',
    ])
    const path = `${pick(random, ['/proxy/', '/'])}${this.#values.url()}${query}`
    return { method: 'GET', path, headers: this.#headers(), body: undefined }
  }
}

function json(method: string, path: string, value: unknown): FuzzRequest {
  const headers = { 'Content-Type': 'application/json' }
  return { method, path, headers, body: Buffer.from(JSON.stringify(value)) }
}

/** Without halves of pairs, which no URL can have. */
function wellFormed(text: string): string {
  return text.toWellFormed()
}
