import { compare } from 'fast-json-patch'
import type { Json } from '../../src/core/document.ts'

/**
 * How a stream of the upstream behaves.
 * - `numbered`: events with ids; goes on after `Last-Event-ID`
 * - `replaying`: events with ids; ignores `Last-Event-ID`, and begins every connection with the last few events
 * - `plain`: events without ids
 * - `patched`: a document, then patches of it; every connection begins with the whole document
 * - `resumed`: the same with ids, and it goes on after `Last-Event-ID` with the patches alone
 * - `polled`: a JSON document
 * - `silent`: heartbeats only
 */
export type Behaviour = 'numbered' | 'replaying' | 'plain' | 'patched' | 'resumed' | 'polled' | 'silent'

/** One stream of the upstream. */
export interface Source {
  index: number
  name: string
  behaviour: Behaviour
}

/** Time between two numbers of a source, in milliseconds. */
const NUMBER_EVERY_MS = 120
/** Numbers that a source can replay: more than any run of the driver makes. */
export const HISTORY = 50_000
/** Numbers that a `replaying` source begins every connection with. */
export const REPLAYED = 20
/** Of so many numbers, one carries a large text. */
const LARGE_EVERY = 50
const LARGE_CHARS = 3_000
/** Members of a document, and how many versions each of them stays. */
const MEMBERS = 8
const VERSIONS_PER_MEMBER = 5

const MIX: readonly Behaviour[] = [
  'numbered',
  'plain',
  'replaying',
  'patched',
  'polled',
  'resumed',
  'numbered',
  'numbered',
  'plain',
  'numbered',
  'polled',
  'replaying',
  'numbered',
  'patched',
]

/** The sources of a run: the last one is silent, the others are a fixed mix. */
export function sources(count: number): Source[] {
  return Array.from({ length: count }, (_, index) => {
    const behaviour = index === count - 1 ? 'silent' : (MIX[index % MIX.length] as Behaviour)
    return { index, name: `${behaviour}-${index}`, behaviour }
  })
}

/**
 * The newest number of every source at an instant; 0 before the first. Numbers are made by the clock, so that an
 * upstream that was killed knows them all when it is back.
 */
export function newestAt(startedAt: number, at: number): number {
  return Math.max(0, Math.floor((at - startedAt) / NUMBER_EVERY_MS))
}

/** The data of an event: any change on its way shows. */
export function payload({ name }: Source, number: number): string {
  const text = number % LARGE_EVERY === 0 ? 'ä€😀 '.repeat(LARGE_CHARS / 5) : `tick ${number} of ${name}`
  return JSON.stringify({ name, n: number, text })
}

/** A version of a source's document: some members change, one in a while comes and one goes. */
export function documentAt({ name }: Source, version: number): Json {
  const first = Math.floor(version / VERSIONS_PER_MEMBER)
  const members = Array.from({ length: MEMBERS }, (_, position) => {
    const id = first + position
    return { id, label: `member ${id}`, value: version - (version % ((id % 4) + 1)) }
  })
  return {
    version,
    name,
    members,
    about: `The document of ${name}, which is long enough to be worth patching.`,
  }
}

/** The patch that leads from the version before to this one, as text. */
export function patchTo(source: Source, version: number): string {
  const operations = compare(documentAt(source, version - 1) as object, documentAt(source, version) as object)
  return JSON.stringify(operations)
}
