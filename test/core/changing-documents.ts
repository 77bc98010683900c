import type { Json } from '../../src/core/documents/document.ts'
import { integer, pick, type Random } from './seeded.ts'

/** How an API's documents are built, and change. */
export const SHAPES = ['feed', 'table', 'deep'] as const
export type Shape = (typeof SHAPES)[number]

type Row = { [key: string]: Json }

const WORDS = 'the of river weir water gate flow level stone bridge mill lock bank reed tide ford'.split(' ')
const STATES = ['open', 'closed', 'busy', 'unknown']
/** Objects within objects, down to the numbers. */
const LEVELS = 5

/**
 * Versions of a document of about so many bytes, each a change of the one before; they share nothing.
 * @param key what tells the members of arrays apart
 */
export function versionsOf(shape: Shape, bytes: number, count: number, random: Random, key = 'id'): Json[] {
  let made = 0
  const make = () => (shape === 'feed' ? item(random, key, ++made) : row(random, key, ++made))
  const change = { feed: changeFeed, table: changeTable, deep: changeDeep }[shape]
  let document = shape === 'deep' ? deep(random, bytes) : list(bytes, make)
  const versions: Json[] = []
  while (versions.length < count) {
    versions.push(structuredClone(document))
    document = change(structuredClone(document) as never, random, make)
  }
  return versions
}

/** Items come at the top and go at the bottom, and some that stay are counted on. */
function changeFeed(feed: { items: Row[] }, random: Random, make: () => Row): Json {
  const { items } = feed
  const fresh = 1 + integer(random, Math.ceil(items.length / 10))
  for (const each of items) {
    if (random() < 0.1) (each.counts as Row).views = integer(random, 100_000)
  }
  items.splice(-fresh, fresh)
  items.unshift(...Array.from({ length: fresh }, make))
  return feed
}

/** Values change all over; rows come, go and change places. */
function changeTable(table: { items: Row[] }, random: Random, make: () => Row): Json {
  const { items } = table
  for (const each of items) {
    if (random() < 0.2) each.price = integer(random, 1e6) / 100
    if (random() < 0.05) each.state = pick(random, STATES)
  }
  const edits = 1 + integer(random, Math.ceil(items.length / 20))
  for (let edit = 0; edit < edits; edit++) {
    const at = integer(random, items.length)
    const what = random()
    if (what < 0.3) items.splice(at, 0, make())
    else if (what < 0.6) items.splice(at, 1)
    else if (what < 0.8) items[at] = make()
    else items.splice(integer(random, items.length), 0, ...items.splice(at, 1))
  }
  return table
}

/** Numbers change here and there; a member is gone, or new. */
function changeDeep(document: Row, random: Random): Json {
  for (const [key, value] of Object.entries(document)) {
    if (Array.isArray(value)) {
      value.shift()
      value.push(integer(random, 1000))
    } else if (typeof value === 'object' && value !== null) {
      if (random() < 0.5) changeDeep(value, random)
    } else if (random() < 0.2) document[key] = integer(random, 1e6)
  }
  if (random() < 0.05) document[`extra${integer(random, 9)}`] = words(random, 3)
  if (random() < 0.02) delete document.name
  return document
}

function list(bytes: number, make: () => Row): { items: Row[] } {
  const items = [make()]
  for (let size = 0; size < bytes - 100; size += JSON.stringify(items.at(-1)).length + 1) items.push(make())
  return { items }
}

function item(random: Random, key: string, number: number): Row {
  return {
    [key]: `post-${number}`,
    title: words(random, 8),
    link: `https://news.example/${number}/${words(random, 3).replaceAll(' ', '-')}`,
    author: { name: words(random, 2), avatar: null },
    counts: { views: integer(random, 100_000), votes: integer(random, 900) },
    tags: [pick(random, WORDS), pick(random, WORDS)],
  }
}

function row(random: Random, key: string, number: number): Row {
  return {
    [key]: 1000 + number,
    name: words(random, 3),
    price: integer(random, 1e6) / 100,
    state: pick(random, STATES),
    at: [integer(random, 180), integer(random, 90)],
    stock: integer(random, 50),
  }
}

function deep(random: Random, bytes: number): Json {
  const document: Row = {}
  for (let part = 0; JSON.stringify(document).length < bytes - 100; part++) {
    document[`part${part}`] = branch(random, LEVELS)
  }
  return document
}

function branch(random: Random, levels: number): Row {
  const leaf: Row = { name: words(random, 2), value: integer(random, 1e6), isOn: random() < 0.5 }
  if (levels === 0) return { ...leaf, last: Array.from({ length: 8 }, () => integer(random, 1000)) }
  return { ...leaf, [pick(random, WORDS)]: branch(random, levels - 1) }
}

function words(random: Random, count: number): string {
  return Array.from({ length: count }, () => pick(random, WORDS)).join(' ')
}
