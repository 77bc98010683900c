import { HIDDEN } from '../core/hidden.ts'
import { Problem } from '../errors.ts'
import type { Database } from '../storage/storage.ts'
import { checkRegistration, type Registration } from '../streams/registry/registration.ts'
import type { Streams } from '../streams/registry/streams.ts'
import { isShared } from '../streams/registry/visibility.ts'
import { makeTwin } from '../streams/twins/twin.ts'
import { changesTo, type StreamChanges } from './changes.ts'
import { createNew, planNew } from './create.ts'
import { isFields, type JsonObject, revealed } from './fields.ts'
import { comparable, Equals, type Known, knownById } from './identity.ts'
import { attempt, attemptLater, type Item, type LineOutcome, pending, report } from './item.ts'
import { charsOf, type ImportLine, type Lines } from './lines.ts'
import { pacer } from './pace.ts'
import { portions } from './portions.ts'

/** Lines stored in one transaction. */
const BATCH = 500
/** Text of their URLs, headers and bodies: a batch with more has fewer lines. */
const BATCH_CHARS = 4_194_304
/** Lines of a batch that need a probe to detect their kind, so that progress is reported often. */
const BATCH_ASKED = 64
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export interface ImportDeps {
  db: Database
  streams: Streams
}

export interface ImportOptions {
  /** Only reports what would be done; no API is probed. */
  dryRun: boolean
  /** Added to the tags of every stream that is new or named by its ID. */
  tag: string | undefined
  /** Defaults for new streams. */
  defaults: Pick<Registration, 'start' | 'intervalMs'>
  /** Values of headers that the file hides: for new streams, and for those whose URL has a new origin. */
  headers: Readonly<Record<string, string>>
}

/**
 * Imports registrations in batches: valid lines are imported even if others fail.
 * @returns the outcomes of each batch, in the order of its lines
 */
export async function* importLines(
  deps: ImportDeps,
  lines: Lines,
  options: ImportOptions,
): AsyncGenerator<LineOutcome[]> {
  const context: Context = { ...deps, options, ids: new Set() }
  const planned = new Equals()
  for await (const batch of batchesOf(lines)) {
    const items = batch.map((line) => read(context, line))
    await changeKnown(context, items)
    await (options.dryRun ? planNew(deps.db, planned, items) : createNew(deps.db, deps.streams, items))
    yield items.map(report)
  }
}

interface Context extends ImportDeps {
  options: ImportOptions
  /** IDs that lines have used so far. */
  ids: Set<string>
}

async function* batchesOf(lines: Lines): AsyncGenerator<ImportLine[]> {
  let batch: ImportLine[] = []
  let [asked, chars] = [0, 0]
  for await (const line of lines) {
    batch.push(line)
    chars += charsOf(line)
    if (isFields(line.value) && line.value.kind === undefined) asked++
    if (batch.length < BATCH && asked < BATCH_ASKED && chars < BATCH_CHARS) continue
    yield batch
    batch = []
    asked = chars = 0
  }
  if (batch.length > 0) yield batch
}

function read({ ids }: Context, { line, value, problem, skipped }: ImportLine): Item {
  const { id, ...given }: JsonObject = isFields(value) ? value : {}
  const item: Item = { line, given, url: typeof given.url === 'string' ? given.url : null }
  if (typeof given.name === 'string') item.name = given.name
  if (skipped !== undefined) return { ...item, outcome: 'skipped', reason: skipped }
  attempt(item, () => {
    if (problem !== undefined) throw problem
    if (!isFields(value))
      throw new Problem('invalid_field', 'Expected an object with the fields of a stream.')
    if (id === undefined) return
    item.id = checkId(id)
    if (ids.has(item.id)) throw new Problem('conflict', 'An earlier line has the same ID.', 'id')
    ids.add(item.id)
  })
  return item
}

function checkId(id: unknown): string {
  const text = typeof id === 'string' ? id.toLowerCase() : ''
  if (UUID.test(text)) return text
  throw new Problem('invalid_field', 'id: expected a UUID. Omit it to get a new one.', 'id')
}

/** Changes the streams that lines name; the other lines become registrations. */
async function changeKnown(context: Context, items: readonly Item[]): Promise<void> {
  const { db, options } = context
  const named = new Map(pending(items).flatMap((item) => (item.id === undefined ? [] : [[item.id, item]])))
  for (const ids of await portions(db, [...named.keys()])) await changePortion(context, named, ids)
  const rest = pacer()
  for (const item of pending(items)) {
    attempt(item, () => register(item, options))
    await rest()
  }
}

async function changePortion(
  { db, streams, options }: Context,
  named: ReadonlyMap<string, Item>,
  ids: readonly string[],
): Promise<void> {
  const rest = pacer()
  for (const [id, stream] of await knownById(db, ids)) {
    const item = named.get(id)
    if (item !== undefined && !isShared(stream)) attempt(item, refuseId)
    else if (item !== undefined) await attemptLater(item, () => change(streams, options, item, stream))
    await rest()
  }
}

/** Exports leave these streams out, so an import doesn't reveal what an ID stands for. */
function refuseId(): never {
  throw new Problem('conflict', 'This ID is already in use. Omit it to get a new one.', 'id')
}

function register(item: Item, { tag, defaults, headers }: ImportOptions): void {
  const said: JsonObject = { ...defaults, ...item.given }
  if (isFields(said.headers)) said.headers = reveal(said.headers, headers)
  const { tags = [] } = said
  if (tag !== undefined && Array.isArray(tags)) said.tags = [...new Set([...tags, tag])]
  item.registration = checkRegistration(said)
  item.name ??= comparable(item.registration).name
}

/** The headers of a new stream, with the caller's values for hidden ones. */
function reveal(headers: JsonObject, values: ImportOptions['headers']): JsonObject {
  const shown = revealed(headers, values)
  const hidden = Object.keys(shown).filter((name) => shown[name] === HIDDEN)
  if (hidden.length === 0) return shown
  const asked = hidden.map((name) => `?header=${name}: …`).join(', ')
  throw new Problem(
    'invalid_field',
    `Header values are hidden in the file. Set them with ${asked}`,
    `headers.${hidden[0]}`,
  )
}

async function change(streams: Streams, options: ImportOptions, item: Item, known: Known): Promise<void> {
  item.url ??= known.url
  item.name ??= known.name
  const changes = changesTo(known, item.given, options)
  item.droppedHeaders = changes?.droppedHeaders ?? []
  if (changes !== undefined && !options.dryRun) {
    item.droppedHeaders = await carryOut(streams, known.id, changes)
  }
  item.outcome = changes === undefined ? 'unchanged' : 'updated'
}

/** @returns the names of the headers that were dropped */
async function carryOut(
  streams: Streams,
  id: string,
  { fields, start, twin }: StreamChanges,
): Promise<string[]> {
  const isChanged = Object.keys(fields).length > 0
  const droppedHeaders = isChanged ? (await streams.change(id, fields)).droppedHeaders : []
  if (twin) {
    const stream = await streams.get(id)
    await streams.registerMany(async () => [makeTwin(stream)])
  }
  if (start !== undefined) await (start ? streams.start(id) : streams.stop(id))
  return droppedHeaders
}
