/** An entry of a poll, or of the document that it found. */
export interface Poll {
  seq: number
  /** ISO 8601. */
  at: string
}

/** The polls that are replayed, and what they found. */
export interface Window {
  /** Time of the first poll. ISO 8601. */
  from: string
  /** Time of the last poll. ISO 8601. */
  to: string
  /** Polls after the first. */
  polls: number
  /** The poll that found each document; the first document is that of poll 0. */
  foundAt: readonly number[]
}

/** The document of a poll and all after it; newest first, as they are given. */
export function versionsSince<V extends Poll>(versions: readonly V[], seq: number): V[] {
  const first = versions.findIndex((version) => version.seq <= seq)
  return versions.slice(0, first + 1)
}

/**
 * The polls from the first whose document is known, and the documents that they found.
 * @param polls oldest first
 * @param documents oldest first
 */
export function windowOf(polls: readonly Poll[], documents: readonly Poll[]): Window {
  const known = documents[0]?.seq ?? 0
  const [first, ...others] = polls.filter(({ seq }) => seq >= known)
  const from = first?.at ?? ''
  return {
    from,
    to: others.at(-1)?.at ?? from,
    polls: others.length,
    foundAt: documents.map((document) => others.filter(({ seq }) => seq <= document.seq).length),
  }
}
