import { HIDDEN } from '../core/hidden.ts'
import { Problem } from '../errors.ts'
import type { Database } from '../storage/storage.ts'
import { checkRegistration, type Registration } from '../streams/registration.ts'
import type { Streams } from '../streams/streams.ts'
import { makeTwin } from '../streams/twin.ts'
import { isShared } from '../streams/visibility.ts'
import { type Changes, changesTo } from './changes.ts'
import { createNew, planNew } from './create.ts'
import { type Fields, isFields } from './fields.ts'
import { comparable, Equals, type Known, knownById } from './identity.ts'
import { attempt, attemptLater, type Item, idsOf, type Outcome, pending, report } from './item.ts'
import type { Line } from './lines.ts'

/** Lines stored in one transaction. */
const BATCH = 500
/** Of them, those that leave the kind to be found by asking: a report of them is never long in coming. */
const BATCH_ASKED = 64
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export interface ImportDeps {
  db: Database
  streams: Streams
}

export interface ImportOptions {
  /** Says what would be done. Nothing is, and no API is asked for its kind. */
  dryRun: boolean
  /** Added to the tags of every stream that is new or named by its id. */
  tag: string | undefined
  /** For new streams that don't say it themselves. */
  defaults: Pick<Registration, 'start' | 'intervalMs'>
  /** For the headers of new streams whose values are hidden in the file. */
  headers: Readonly<Record<string, string>>
}

/**
 * Imports registrations, a batch at a time: the good ones go in, whatever the others are.
 * @returns the outcomes of each batch, in the order of its lines
 */
export async function* importLines(
  deps: ImportDeps,
  lines: readonly Line[],
  options: ImportOptions,
): AsyncGenerator<Outcome[]> {
  const context: Context = { ...deps, options, ids: new Set() }
  const planned = new Equals()
  for (const batch of batchesOf(lines)) {
    const items = batch.map((line) => read(context, line))
    await changeKnown(context, items)
    await (options.dryRun ? planNew(deps.db, planned, items) : createNew(deps.db, deps.streams, items))
    yield items.map(report)
  }
}

interface Context extends ImportDeps {
  options: ImportOptions
  /** Ids that lines have named so far. */
  ids: Set<string>
}

function* batchesOf(lines: readonly Line[]): Generator<Line[]> {
  let batch: Line[] = []
  let asked = 0
  for (const line of lines) {
    batch.push(line)
    if (isFields(line.value) && line.value.kind === undefined) asked++
    if (batch.length < BATCH && asked < BATCH_ASKED) continue
    yield batch
    batch = []
    asked = 0
  }
  if (batch.length > 0) yield batch
}

function read({ ids }: Context, { line, value, problem }: Line): Item {
  const { id, ...given }: Fields = isFields(value) ? value : {}
  const item: Item = { line, given, url: typeof given.url === 'string' ? given.url : null }
  if (typeof given.name === 'string') item.name = given.name
  attempt(item, () => {
    if (problem !== undefined) throw problem
    if (!isFields(value))
      throw new Problem('invalid_field', 'Expected an object with the fields of a stream.')
    if (id === undefined) return
    item.id = checkId(id)
    if (ids.has(item.id)) throw new Problem('conflict', 'A line before this one has the same id.', 'id')
    ids.add(item.id)
  })
  return item
}

function checkId(id: unknown): string {
  const text = typeof id === 'string' ? id.toLowerCase() : ''
  if (UUID.test(text)) return text
  throw new Problem('invalid_field', 'id: expected a UUID; leave it out to get a new one.', 'id')
}

/** Changes the streams that lines name; the lines of new ones become registrations. */
async function changeKnown({ db, streams, options }: Context, items: readonly Item[]): Promise<void> {
  const known = await knownById(db, idsOf(pending(items)))
  for (const item of pending(items)) {
    const stream = known.get(item.id ?? '')
    if (stream === undefined) attempt(item, () => register(item, options))
    else if (!isShared(stream)) attempt(item, refuseId)
    else await attemptLater(item, () => change(streams, options, item, stream))
  }
}

/** Exports leave these streams out: nobody finds out by an import what is behind an id. */
function refuseId(): never {
  throw new Problem('conflict', 'This id is taken; leave it out to get a new one.', 'id')
}

function register(item: Item, { tag, defaults, headers }: ImportOptions): void {
  const said: Fields = { ...defaults, ...item.given }
  if (isFields(said.headers)) said.headers = reveal(said.headers, headers)
  const { tags = [] } = said
  if (tag !== undefined && Array.isArray(tags)) said.tags = [...new Set([...tags, tag])]
  item.registration = checkRegistration(said)
  item.name ??= comparable(item.registration).name
}

/** The headers of a new stream, with the caller's values for those that the file hides. */
function reveal(headers: Fields, values: ImportOptions['headers']): Fields {
  const given = new Map(Object.entries(values).map(([name, value]) => [name.toLowerCase(), value]))
  const revealed = Object.entries(headers).map(([name, value]): [string, unknown] => [
    name,
    value === HIDDEN ? given.get(name.toLowerCase()) : value,
  ])
  const hidden = revealed.filter(([, value]) => value === undefined).map(([name]) => name)
  if (hidden.length === 0) return Object.fromEntries(revealed)
  const asked = hidden.map((name) => `?header=${name}: …`).join(', ')
  throw new Problem(
    'invalid_field',
    `The file hides values of headers; say them: ${asked}`,
    `headers.${hidden[0]}`,
  )
}

async function change(
  streams: Streams,
  { tag, dryRun }: ImportOptions,
  item: Item,
  known: Known,
): Promise<void> {
  item.url ??= known.url
  item.name ??= known.name
  const changes = changesTo(known, item.given, tag)
  if (changes !== undefined && !dryRun) await carryOut(streams, known.id, changes)
  item.outcome = changes === undefined ? 'unchanged' : 'updated'
}

async function carryOut(streams: Streams, id: string, { fields, start, twin }: Changes): Promise<void> {
  if (Object.keys(fields).length > 0) await streams.change(id, fields)
  if (twin) {
    const stream = await streams.get(id)
    await streams.registerMany(async () => [makeTwin(stream)])
  }
  if (start !== undefined) await (start ? streams.start(id) : streams.stop(id))
}
