import { Problem } from '../../errors.ts'
import { Budget } from '../bounds.ts'
import { isFields, type JsonObject } from '../fields.ts'
import {
  type ForeignFormat,
  type ForeignLine,
  type ForeignOptions,
  headerPairs,
  leftOut,
  nameFrom,
  requestTo,
  tagsFrom,
  textOf,
  withoutCredentials,
} from './format.ts'
import { authOf, isAuth, type PostmanAuth } from './postman-auth.ts'
import { addressOf } from './postman-url.ts'
import { Variables } from './postman-variables.ts'

/** Folders in folders; deeper ones aren't read. */
const MAX_DEPTH = 32
/** Where a problem's message is cut. */
const MAX_DETAIL_CHARS = 1_000

/** @see https://schema.postman.com/collection/json/v2.1.0/draft-07/docs/index.html */
export const POSTMAN: ForeignFormat = {
  label: 'Postman collection',
  is: (value): value is JsonObject => {
    const { info, item } = collectionIn(value)
    return isFields(info) && Array.isArray(item) && ('schema' in info || '_postman_id' in info)
  },
  *linesOf(document, options) {
    const collection = collectionIn(document)
    const { variable, auth } = collection
    const sources = { given: options.params, budget: new Budget() }
    const variables = new Variables(undefined, variable, sources)
    yield* itemsOf(collection.item, { options, sources, variables, auth: usable(auth), folders: [] })
  },
}

/** A folder with what its requests inherit. */
interface Folder {
  options: ForeignOptions
  sources: ConstructorParameters<typeof Variables>[2]
  variables: Variables
  auth: PostmanAuth | undefined
  folders: readonly string[]
}

/** The API of Postman wraps a collection in a field. */
function collectionIn(value: unknown): JsonObject {
  if (!isFields(value)) return {}
  return isFields(value.collection) ? value.collection : value
}

function usable(auth: unknown): PostmanAuth | undefined {
  return isAuth(auth) ? auth : undefined
}

function* itemsOf(items: unknown, folder: Folder): Generator<ForeignLine> {
  for (const item of Array.isArray(items) ? items : []) {
    if (!isFields(item)) continue
    if (!Array.isArray(item.item)) yield lineOf(item, folder)
    else if (folder.folders.length === MAX_DEPTH) {
      yield leftOut(nameFrom(item.name), `It is more than ${MAX_DEPTH} folders deep.`)
    } else yield* itemsOf(item.item, within(folder, item))
  }
}

function within({ options, sources, variables, auth, folders }: Folder, item: JsonObject): Folder {
  return {
    options,
    sources,
    variables: new Variables(variables, item.variable, sources),
    auth: usable(item.auth) ?? auth,
    folders: [...folders, textOf(item.name)],
  }
}

function lineOf(item: JsonObject, folder: Folder): ForeignLine {
  const named = nameFrom(item.name)
  const request = isFields(item.request) ? item.request : { url: item.request }
  const variables = new Variables(folder.variables, item.variable, folder.sources)
  const address = addressOf(request.url)
  const shown = { url: address.text, ...named }
  const method = textOf(request.method).toUpperCase() || 'GET'
  const query = method === 'POST' ? safeQuery(request.body) : undefined
  if (method !== 'GET' && query === undefined) {
    return leftOut(
      shown,
      `${method} may change something: only GET requests and GraphQL queries are followed.`,
    )
  }
  const fill = (text: string) => variables.fill(text)
  const auth = authOf(usable(request.auth) ?? folder.auth, folder.options.headers, fill)
  if (auth.reason !== undefined) return leftOut(shown, auth.reason)
  const json: [string, string][] = query === undefined ? [] : [['Content-Type', 'application/json']]
  const headers = headersIn(request.header).map(([name, value]): [string, string] => [
    fill(name),
    fill(value),
  ])
  const url = variables.fillUrl(address, auth.query)
  const body = query === undefined ? {} : { body: fill(query) }
  if (variables.missing.size > 0)
    return {
      value: { ...shown, url: withoutCredentials(shown.url) },
      problem: lacking([...variables.missing]),
    }
  const given = Object.entries(folder.options.headers)
  return {
    value: {
      ...named,
      method,
      ...requestTo(url, [...json, ...headers, ...auth.headers, ...given]),
      ...body,
      ...tagsFrom(folder.folders),
    },
  }
}

function headersIn(header: unknown): [string, string][] {
  if (!Array.isArray(header)) return headerPairs(header)
  return header
    .filter(isFields)
    .filter(({ disabled }) => disabled !== true)
    .map(({ key, value }) => [textOf(key), textOf(value)])
}

/** The body of a GraphQL query, which reads; a mutation doesn't. */
function safeQuery(body: unknown): string | undefined {
  if (!isFields(body) || body.mode !== 'graphql' || !isFields(body.graphql) || body.disabled === true)
    return undefined
  const { query, variables } = body.graphql
  const text = textOf(query)
  if (text.trim() === '' || /\b(mutation|subscription)\b/.test(text)) return undefined
  const given = textOf(variables).trim()
  return given === ''
    ? JSON.stringify({ query: text })
    : `{"query":${JSON.stringify(text)},"variables":${given}}`
}

function lacking(names: readonly string[]): Problem {
  const said = names.map((name) => `variable ${name} (?param=${name}=…)`).join('; ')
  const detail = `The collection doesn't provide: ${said}.`
  return new Problem('invalid_field', detail.slice(0, MAX_DETAIL_CHARS), names[0]?.slice(0, 200))
}
