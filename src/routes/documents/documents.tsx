import { Elysia } from 'elysia'
import { DocumentPage, DocumentParts } from '../../../views/documents/document.tsx'
import { stringifyJson } from '../../core/documents/json.ts'
import { Problem } from '../../errors.ts'
import { Semaphore } from '../../limits/semaphore.ts'
import type { Database } from '../../storage/storage.ts'
import {
  type DocumentChange,
  documentOf,
  type Large,
  listVersions,
  type Moment,
  type StoredDocument,
  type VersionLine,
  versionAt,
  versionBefore,
  versionChangeBetween,
} from '../../streams/documents/documents.ts'
import { versionMarks, ZOOMS } from '../../streams/documents/version-marks.ts'
import { type ReadVersions, type Version, versionsIn } from '../../streams/documents/versions.ts'
import type { Stream } from '../../streams/ingest/run.ts'
import { lastSeq } from '../../streams/log/logs.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { readerOf } from '../access/reader.ts'
import { json as jsonAnswer } from '../answers/answer.ts'
import * as answers from '../answers/documents.ts'
import { describe } from '../http/describe.ts'
import { html } from '../http/html.ts'
import { dateOf, integerOf, oneOf, query as queryOf } from '../http/input.ts'
import { pageSize } from '../http/parameters.ts'
import { parameters, text, whole } from '../http/query.ts'
import { documentView } from './document-view.ts'

/** Maximum number of documents rebuilt at once, each with its patches in memory, and of waiting requests. */
const MAX_REBUILDS = 8
const MAX_WAITING = 64
/** Range of times that Postgres supports. */
const LAST_INSTANT_MS = Date.UTC(9999, 11, 31)

export interface DocumentRoutesDeps {
  db: Database
  streams: Streams
  /** Source of versions. Default: the log in the database. */
  versions?: ReadVersions
  /** Builds and compares large documents. Default: in this thread. */
  large?: Large
  now?(): number
}

/** Documents at any point in time, and the changes between them. */
export function documentRoutes({
  db,
  streams,
  versions: read = versionsIn(db),
  large,
  now = Date.now,
}: DocumentRoutesDeps) {
  const rebuilds = new Semaphore({ what: 'documents', atOnce: MAX_REBUILDS, waiting: MAX_WAITING })
  return new Elysia({ detail: { tags: ['Documents'] } })
    .get(
      '/api/streams/:id/document',
      async ({ params, query: { at }, request }) => {
        const stream = await streams.get(params.id)
        const version = await versionAt(read, stream, await momentOf('at', at, stream))
        const headers = documentHeaders(version)
        if (isKnown(request, headers.ETag)) return new Response(null, { status: 304, headers })
        const { text } = await rebuilds.run(() => documentOf(read, stream, version, large))
        return new Response(text, { headers: { ...headers, 'Content-Type': 'application/json' } })
      },
      {
        query: parameters({ at: MOMENT_TEXT }),
        response: answers.DOCUMENT,
        detail: describe('Get a document', DOCUMENT, { problems: ['damaged', 'too_many'] }),
      },
    )
    .get(
      '/api/streams/:id/diff',
      async ({ params, query: { from, to } }) => {
        const stream = await streams.get(params.id)
        const later = await versionAt(read, stream, await momentOf('to', to, stream))
        const earlier =
          from === undefined
            ? await versionBefore(read, stream, later)
            : await versionAt(read, stream, await momentOf('from', from, stream))
        if (earlier === undefined) {
          throw new Problem(
            'not_found',
            `Entry ${later.seq} made the first document. There is none before it.`,
          )
        }
        return json(
          changeJson(await rebuilds.run(() => versionChangeBetween(read, stream, earlier, later, large))),
        )
      },
      {
        query: parameters({ from: MOMENT_TEXT, to: MOMENT_TEXT }),
        response: jsonAnswer(answers.Diff),
        detail: describe('Compare two versions', DIFF, { problems: ['damaged', 'too_many'] }),
      },
    )
    .get(
      '/api/streams/:id/versions',
      async ({ params, query: { from, to, before, limit } }) => {
        const stream = await streams.get(params.id)
        const { items, next } = await listVersions(read, stream, {
          from: from === undefined ? undefined : await momentOf('from', from, stream),
          to: await momentOf('to', to, stream),
          before,
          limit,
        })
        return { items: items.map(versionJson), next: next ?? null }
      },
      {
        query: parameters({
          from: MOMENT_TEXT,
          to: MOMENT_TEXT,
          before: whole({ min: 1, max: Number.MAX_SAFE_INTEGER }, 'Cursor: `next` of the previous page'),
          limit: pageSize(),
        }),
        response: jsonAnswer(answers.Versions),
        detail: describe('List versions', VERSIONS),
      },
    )
    .get(
      '/streams/:id/document',
      async ({ params, request }) => {
        const stream = await streams.get(params.id)
        const { at, window } = queryOf(request, 'at', 'window')
        const zoom = oneOf('window', window, ZOOMS) ?? 'all'
        const { page, status } = await rebuilds.run(() =>
          documentView({ read, large }, stream, {
            asked: at,
            moment: () => momentOf('at', at, stream),
            zoom,
            marks: (around = new Date(now())) =>
              versionMarks(db, read, stream.id, { zoom, around, now: now() }),
          }),
        )
        const isPart = request.headers.has('hx-request')
        return html(
          isPart ? <DocumentParts {...page} /> : <DocumentPage reader={readerOf(request)} {...page} />,
          { status },
        )
      },
      { detail: { hide: true } },
    )

  /**
   * A point in time from a query: a time, `seq:N`, or nothing for now.
   * @throws Problem `not_found` for an entry that doesn't exist yet
   */
  async function momentOf(
    name: string,
    text: string | undefined,
    { id }: Pick<Stream, 'id'>,
  ): Promise<Moment> {
    if (text === undefined) return 'now'
    if (!text.startsWith('seq:')) return { at: instantOf(name, text) }
    const seq = integerOf(name, text.slice('seq:'.length), 1, Number.MAX_SAFE_INTEGER) as number
    const last = await lastSeq(db, id)
    if (seq <= last) return { seq }
    throw new Problem('not_found', `Entry ${seq} doesn't exist yet. The last entry is ${last}.`, name)
  }
}

/** A time, clamped to the range of the database. */
function instantOf(name: string, text: string): Date {
  const at = dateOf(name, text)
  return new Date(Math.min(Math.max(at.getTime(), 0), LAST_INSTANT_MS))
}

/** Weak, because two versions with the same hash are the same document but may order members differently. */
function documentHeaders({ seq, at, hash }: Version) {
  return {
    ETag: `W/"${hash}"`,
    'Last-Modified': at.toUTCString(),
    'X-Weir-Seq': String(seq),
    'Cache-Control': 'private, no-cache',
  }
}

/** @see https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2 */
function isKnown(request: Request, etag: string): boolean {
  const tags = request.headers.get('if-none-match')?.split(',') ?? []
  return tags.some((tag) => tag.trim() === '*' || tag.trim().replace(/^(W\/)?/, 'W/') === etag)
}

/** As text, to preserve numbers that a double can't represent. */
function changeJson({ from, to, operations, patchBytes, snapshotBytes }: DocumentChange): string {
  const ends = JSON.stringify({ from: endJson(from), to: endJson(to) }).slice(0, -1)
  return `${ends},"patch":${stringifyJson(operations)},"patchBytes":${patchBytes},"snapshotBytes":${snapshotBytes}}`
}

function endJson({ seq, at, hash }: StoredDocument) {
  return { seq, at, hash }
}

function versionJson({ changed, patchBytes, snapshotBytes, paths, ...version }: VersionLine) {
  return {
    ...version,
    changed: changed ?? null,
    patchBytes: patchBytes ?? null,
    snapshotBytes: snapshotBytes ?? null,
    paths: paths ?? null,
  }
}

function json(text: string): Response {
  return new Response(text, { headers: { 'Content-Type': 'application/json' } })
}

/** Read with its stream: the log says whether there is such an entry. */
const MOMENT_TEXT = text('A time in ISO 8601, or `seq:` with an entry number')
const MOMENT =
  'Versions are selected by a time such as `2026-01-31T12:00:00Z` (UTC without a zone) or an entry such as `seq:120`. ' +
  'Default: now; times in the future mean now. '
const DOCUMENT =
  `${MOMENT}The document is rebuilt from the preceding snapshot and later patches, with numbers preserved digit for digit, ` +
  'and verified against its hash (`damaged` on mismatch). `ETag` is the SHA-256 of the canonical document (RFC 8785), ' +
  '`X-Weir-Seq` the entry that produced it, `Last-Modified` its time. Fails with `not_found` before the first document, ' +
  'and for streams without documents.'
const DIFF =
  `${MOMENT}\`from\` defaults to the version before \`to\`. \`patch\` (RFC 6902, verified) turns the document at \`from\` into ` +
  'the one at `to`, if necessary by replacing the whole document. `from` may be later than `to`. `patchBytes`: size of ' +
  'the patch, 0 if nothing changed; `snapshotBytes`: size of the document at `to`.'
const VERSIONS =
  `${MOMENT}Newest first; pass \`next\` as \`before\` to get the next page. \`paths\`: JSON Pointers in the patch, at most 20, ` +
  'each truncated at 200 characters; `""` for the whole document, null if the patch exceeds 64 kB. `patchBytes`: size of ' +
  'the change as a patch; `snapshotBytes`: size of the document.'
