/** How entries of each kind are read, counted and described. */
interface EntryKindFacts {
  /** Plural, for the log's filter. */
  label: string
  /** Whether its data is JSON text. */
  isJson: boolean
  /** Whether it is a version of the stream's document. */
  isVersion: boolean
  /** Whether it counts as an event, or as a poll if it has a response. */
  isEvent: boolean
  isPoll: boolean
}

/** The kinds of entries in the log, in the order of its filter. */
export const ENTRY_KIND = {
  exchange: {
    label: 'Unchanged and other responses',
    isJson: false,
    isVersion: false,
    isEvent: false,
    isPoll: true,
  },
  event: { label: 'Events', isJson: false, isVersion: false, isEvent: true, isPoll: false },
  snapshot: { label: 'Snapshots', isJson: true, isVersion: true, isEvent: true, isPoll: true },
  patch: { label: 'Patches', isJson: true, isVersion: true, isEvent: true, isPoll: true },
  error: { label: 'Errors', isJson: true, isVersion: false, isEvent: false, isPoll: false },
  end: { label: 'Ended connections', isJson: true, isVersion: false, isEvent: false, isPoll: false },
  gap: { label: 'Gaps', isJson: true, isVersion: false, isEvent: false, isPoll: false },
} as const satisfies Record<string, EntryKindFacts>

export type EntryKind = keyof typeof ENTRY_KIND
export const ENTRY_KINDS = Object.keys(ENTRY_KIND) as EntryKind[]

type Having<Flag extends keyof EntryKindFacts> = {
  [Kind in EntryKind]: (typeof ENTRY_KIND)[Kind][Flag] extends true ? Kind : never
}[EntryKind]
/** A kind whose entries are versions of the document. */
export type VersionKind = Having<'isVersion'>
export const VERSION_KINDS = ENTRY_KINDS.filter(isVersionKind)

export function isVersionKind(kind: EntryKind): kind is VersionKind {
  return ENTRY_KIND[kind].isVersion
}

/** The version kinds as a list of SQL, for raw queries and the schema's partial index. */
export const VERSION_KINDS_SQL = VERSION_KINDS.map((kind) => `'${kind}'`).join(', ')
