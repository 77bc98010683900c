import { answerOf } from '../../client/client.ts'
import { sha256 } from '../../core/documents/document.ts'
import { bytes as sizeOf } from '../../core/units.ts'
import { BenchError, type Io } from '../command.ts'
import { type Poll, versionsSince, type Window, windowOf } from './window.ts'

/** Newest versions that are replayed. */
const MAX_VERSIONS = 50
/** Newest polls that are replayed, and bytes of their documents: with more, a replay would take longer than a phase. */
const MAX_POLLS = 2_000
const MAX_POLLED_BYTES = 1_073_741_824
/** Total size of the documents, which every process holds. */
const MAX_DOCUMENTS_BYTES = 16_777_216
/** Page size of the log: the maximum of the API. */
const PAGE = 500

/** What a stream recorded lately: documents, and how many polls there were between them. */
export interface Recording extends Window {
  id: string
  name: string
  /** Oldest first; at least two. */
  documents: readonly string[]
  /** Members that identify the objects of an array, for patches. */
  arrayKeys: readonly string[]
  /** Size of the largest change. */
  changeBytes: number
}

type Version = Awaited<ReturnType<typeof readVersions>>[number]

/**
 * The newest part of a stream's log that can be replayed.
 * @throws BenchError if there is too little
 */
export async function readRecording(io: Io, id: string): Promise<Recording> {
  const { client } = io
  const { name, kind, arrayKeys } = await answerOf(client.url, client.api.streams({ id }).get())
  if (kind !== 'poll') {
    throw new BenchError(
      'not_polled',
      `"${name}" is an event stream already: there is no polling to compare.`,
    )
  }
  const versions = await readVersions(io, id)
  const oldest = versions.at(-1)
  if (oldest === undefined || versions.length < 2) throw tooLittle(name, 'fewer than two documents')
  const most = mostPolls(versions)
  const polls = await readPolls(io, id, versions, most)
  const kept = await readDocuments(io, id, versionsSince(versions, polls[0]?.seq ?? oldest.seq))
  if (kept.length < 2) {
    const why = `less than one change in ${most} polls, or in ${sizeOf(MAX_DOCUMENTS_BYTES)} of documents`
    throw tooLittle(name, why)
  }
  return {
    ...{ id, name, arrayKeys },
    ...windowOf(polls, kept),
    documents: kept.map(({ text }) => text),
    changeBytes: Math.max(...kept.slice(1).map(sizeOfChange)),
  }
}

/** How many polls of one client are replayed. */
function mostPolls(versions: readonly Version[]): number {
  const largest = Math.max(...versions.map(({ snapshotBytes }) => snapshotBytes ?? 0), 1)
  return Math.max(1, Math.min(MAX_POLLS, Math.floor(MAX_POLLED_BYTES / largest)))
}

/** Newest first. */
async function readVersions({ client }: Io, id: string) {
  const query = { limit: MAX_VERSIONS }
  return (await answerOf(client.url, client.api.streams({ id }).versions.get({ query }))).items
}

/** The newest polls since the oldest version, oldest first: one, and so many after it at most. */
async function readPolls(io: Io, id: string, versions: readonly Version[], most: number): Promise<Poll[]> {
  const from = versions.at(-1)?.seq ?? 0
  const polls: Poll[] = [...versions]
  let page = await readResponses(io, id)
  for (;;) {
    polls.push(...page.items.filter(({ seq, changed }) => seq > from && changed === false))
    const { before, items } = page
    if (before === null || (items[0]?.seq ?? 0) <= from || polls.length > most + MAX_VERSIONS) break
    page = await readResponses(io, id, before)
  }
  return polls.sort((a, b) => a.seq - b.seq).slice(-most - 1)
}

/** Responses without a document, up to an entry; the newest if none is given. */
async function readResponses({ client }: Io, id: string, before?: number) {
  const query = { kind: 'exchange', limit: PAGE, ...(before !== undefined && { before }) }
  return answerOf(client.url, client.api.streams({ id }).logs.get({ query }))
}

/** As many as fit, oldest first. */
async function readDocuments({ client }: Io, id: string, versions: readonly Version[]) {
  const documents: (Version & { text: string })[] = []
  let left = MAX_DOCUMENTS_BYTES
  for (const version of versions) {
    const response = await client.open(`/api/streams/${id}/document?at=seq:${version.seq}`)
    const text = await response.text()
    left -= Buffer.byteLength(text)
    if (left < 0) break
    documents.unshift({ ...version, text })
  }
  return documents
}

function sizeOfChange({ patchBytes, snapshotBytes, text }: Version & { text: string }): number {
  return Math.min(patchBytes ?? Number.POSITIVE_INFINITY, snapshotBytes ?? text.length)
}

function tooLittle(name: string, why: string): BenchError {
  return new BenchError(
    'not_enough_recorded',
    `"${name}" has ${why}. Let Weir record it until it has changed at least once.`,
  )
}

/** Identifies a document's text. */
export function fingerprint(text: string | Uint8Array): string {
  return sha256(text)
}
