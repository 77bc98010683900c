import { Problem } from '../errors.ts'
import type { Database } from '../storage/storage.ts'
import type { Stream } from '../streams/ingest/run.ts'
import { fromRegistration } from '../streams/registry/from-registration.ts'
import type { Streams } from '../streams/registry/streams.ts'
import { comparable, Equals, knownById, withEntries } from './identity.ts'
import { attempt, attemptLater, type Item, idsOf, type NewItem, unregistered } from './item.ts'
import { pacer } from './pace.ts'

/** APIs looked up, and asked for their kind where it is left out, at a time. */
const EXPLORED_AT_ONCE = 16

/**
 * Says which of the new streams would be created.
 * @param planned what the lines before would have created; these are added
 */
export async function planNew(db: Database, planned: Equals, items: readonly Item[]): Promise<void> {
  const fresh = unregistered(items)
  await planned.load(db, comparables(fresh))
  const rest = pacer()
  for (const item of fresh) {
    attempt(item, () => create(item, planned, true))
    await rest()
  }
}

/** Creates the new streams; those that equal one there is stay as they are. */
export async function createNew(db: Database, streams: Streams, items: readonly Item[]): Promise<void> {
  const fresh = unregistered(items)
  if (fresh.length === 0) return
  const equals = new Equals()
  await equals.load(db, comparables(fresh))
  const missing = fresh.filter((item) => !equalOf(item, equals))
  await eachOf(missing, EXPLORED_AT_ONCE, (item) =>
    attemptLater(item, async () => {
      item.registration = await streams.explore(item.registration)
    }),
  )
  await streams.registerMany((tx) => chosen(tx, unregistered(items)))
}

/** What is to be stored, now that nobody else can: what was looked up before may be different by now. */
async function chosen(tx: Database, fresh: readonly NewItem[]): Promise<Stream[]> {
  const taken = await knownById(tx, idsOf(fresh))
  const occupied = await withEntries(tx, idsOf(fresh))
  const equals = new Equals()
  await equals.load(tx, comparables(fresh))
  return fresh.flatMap((item) => {
    const added = attempt(item, () => {
      const refuse = (detail: string) => new Problem('conflict', detail, 'id')
      if (taken.has(item.id ?? ''))
        throw refuse('Somebody else has just registered this id; import it again.')
      if (occupied.has(item.id ?? '')) {
        throw refuse('The log of a removed stream still has this id; leave it out to get a new one.')
      }
      return create(item, equals, false)
    })
    return added ?? []
  })
}

/** @returns the streams to store: none for a line that equals a stream there is or will be */
function create(item: NewItem, equals: Equals, isPlan: boolean): Stream[] {
  const equal = equalOf(item, equals)
  if (equal !== undefined) {
    item.outcome = 'unchanged'
    item.id = equal.id
    return []
  }
  const { kind, ...said } = item.registration
  const added = fromRegistration({ ...said, kind: kind ?? 'poll' }, item.id)
  item.outcome = 'created'
  if (!isPlan) item.id = added[0].id
  equals.add({ ...added[0], kind }, item.id)
  return added
}

/** The stream that a line is, without having named it by an id. */
function equalOf({ id, registration }: NewItem, equals: Equals) {
  return id === undefined ? equals.find(comparable(registration)) : undefined
}

function comparables(items: readonly NewItem[]) {
  return items.map(({ registration }) => comparable(registration))
}

/** Does something with each of a list, at most so many at a time. */
async function eachOf<T>(list: readonly T[], atOnce: number, act: (each: T) => Promise<void>): Promise<void> {
  const left = list.values()
  const worker = async () => {
    for (const each of left) await act(each)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}
