import { Elysia } from 'elysia'
import { DocumentPage, DocumentParts } from '../../../views/documents/document.tsx'
import { stringifyJson } from '../../core/documents/json.ts'
import { Problem } from '../../errors.ts'
import { Places } from '../../limits/places.ts'
import type { Database } from '../../storage/storage.ts'
import {
  changeBetween,
  type DocumentChange,
  documentOf,
  type Large,
  listVersions,
  type Moment,
  type StoredDocument,
  type VersionLine,
  versionAt,
  versionBefore,
} from '../../streams/documents/documents.ts'
import { versionMarks, ZOOMS } from '../../streams/documents/version-marks.ts'
import { type ReadVersions, type Version, versionsIn } from '../../streams/documents/versions.ts'
import type { Stream } from '../../streams/ingest/run.ts'
import { lastSeq } from '../../streams/log/logs.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { json as jsonAnswer } from '../answers/answer.ts'
import * as answers from '../answers/documents.ts'
import { html } from '../http/html.ts'
import { dateOf, integerOf, oneOf, query } from '../http/input.ts'
import { operation } from '../http/operation.ts'
import { documentView } from './document-view.ts'

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 500
/** Documents put together at a time, each with its patches in memory, and those that may wait for a turn. */
const MAX_REBUILDS = 8
const MAX_WAITING = 64
/** What Postgres can hold as a time, and a database of any kind has no use beyond. */
const LAST_INSTANT_MS = Date.UTC(9999, 11, 31)

export interface DocumentRoutesDeps {
  db: Database
  streams: Streams
  /** Where versions are read from. Default: the log in the database. */
  versions?: ReadVersions
  /** Builds and compares those that are large. Default: that is done here. */
  large?: Large
  now?(): number
}

/** Documents as they were at any moment, and what changed between two. */
export function documentRoutes({
  db,
  streams,
  versions: read = versionsIn(db),
  large,
  now = Date.now,
}: DocumentRoutesDeps) {
  const rebuilds = new Places({ what: 'documents', atOnce: MAX_REBUILDS, waiting: MAX_WAITING })
  return new Elysia({ detail: { tags: ['Documents'] } })
    .get(
      '/api/streams/:id/document',
      async ({ params, request }) => {
        const stream = await streams.get(params.id)
        const { at } = query(request, 'at')
        const version = await versionAt(read, stream, await momentOf('at', at, stream))
        const headers = documentHeaders(version)
        if (isKnown(request, headers.ETag)) return new Response(null, { status: 304, headers })
        const { text } = await rebuilds.run(() => documentOf(read, stream, version, large))
        return new Response(text, { headers: { ...headers, 'Content-Type': 'application/json' } })
      },
      {
        detail: operation('The document at a moment', DOCUMENT, {
          parameters: [moment('at')],
          answers: answers.DOCUMENT,
          problems: ['damaged', 'too_many'],
        }),
      },
    )
    .get(
      '/api/streams/:id/diff',
      async ({ params, request }) => {
        const stream = await streams.get(params.id)
        const { from, to } = query(request, 'from', 'to')
        const later = await versionAt(read, stream, await momentOf('to', to, stream))
        const earlier =
          from === undefined
            ? await versionBefore(read, stream, later)
            : await versionAt(read, stream, await momentOf('from', from, stream))
        if (earlier === undefined) {
          throw new Problem('not_found', `Entry ${later.seq} made the first document; there is none before.`)
        }
        return json(changeJson(await rebuilds.run(() => changeBetween(read, stream, earlier, later, large))))
      },
      {
        detail: operation('The change between two moments', DIFF, {
          parameters: [moment('from'), moment('to')],
          answers: jsonAnswer(answers.Diff),
          problems: ['damaged', 'too_many'],
        }),
      },
    )
    .get(
      '/api/streams/:id/versions',
      async ({ params, request }) => {
        const stream = await streams.get(params.id)
        const asked = query(request, 'from', 'to', 'before', 'limit')
        const { items, next } = await listVersions(read, stream, {
          from: asked.from === undefined ? undefined : await momentOf('from', asked.from, stream),
          to: await momentOf('to', asked.to, stream),
          before: integerOf('before', asked.before, 1, Number.MAX_SAFE_INTEGER),
          limit: integerOf('limit', asked.limit, 1, MAX_LIMIT) ?? DEFAULT_LIMIT,
        })
        return { items: items.map(versionJson), next: next ?? null }
      },
      {
        detail: operation('The versions of a document', VERSIONS, {
          parameters: [moment('from'), moment('to'), BEFORE, 'limit'],
          answers: jsonAnswer(answers.Versions),
        }),
      },
    )
    .get(
      '/streams/:id/document',
      async ({ params, request }) => {
        const stream = await streams.get(params.id)
        const { at, window } = query(request, 'at', 'window')
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
        return html(isPart ? <DocumentParts {...page} /> : <DocumentPage {...page} />, { status })
      },
      { detail: { hide: true } },
    )

  /**
   * A moment as a query names it: a time, `seq:N`, or nothing for now.
   * @throws Problem `not_found` for an entry that isn't there yet: what it will know can't be told
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
    throw new Problem('not_found', `The stream has no entry ${seq} yet; its last is ${last}.`, name)
  }
}

/** A time, in UTC where it names no zone, as near as a database can have it. */
function instantOf(name: string, text: string): Date {
  const hasNoZone = /^\d{4}-\d\d-\d\d[T ][\d:.]+$/.test(text)
  const at = dateOf(name, hasNoZone ? `${text.replace(' ', 'T')}Z` : text) as Date
  return new Date(Math.min(Math.max(at.getTime(), 0), LAST_INSTANT_MS))
}

/** The tag is weak: two versions of one hash are the same document, but may have their members in another order. */
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

/** As text: numbers that a double can't hold stay as they came. */
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

function moment(name: string) {
  return {
    name,
    description: 'A time in ISO 8601, or `seq:` and the number of an entry',
    schema: { type: 'string' },
  }
}
const BEFORE = {
  name: 'before',
  description: 'Where the page before ended: its `next`',
  schema: { type: 'integer', minimum: 1 },
}

const MOMENT =
  'A moment is a time such as `2026-01-31T12:00:00Z` (without a zone: UTC), or `seq:120` for the entry of that number; ' +
  'left out, it is now. Times later than now are now. '
const DOCUMENT =
  `${MOMENT}The document as the stream knew it then, with numbers digit for digit: rebuilt from the last snapshot ` +
  'before and the patches after it, and checked against its hash (problem `damaged` where that fails). `ETag` is the ' +
  'SHA-256 of the canonical document (RFC 8785), `X-Weir-Seq` the entry that made it, `Last-Modified` when. Problem ' +
  '`not_found` before the first document, and for streams that have none.'
const DIFF =
  `${MOMENT}Without \`from\`, the version before \`to\`. \`patch\` (RFC 6902) turns the document at \`from\` into the one at ` +
  '`to`, which it was tried for; it replaces the whole document where no better one can be made. Backwards works ' +
  'too. `patchBytes` of that patch, 0 when nothing changed; `snapshotBytes` of the document at `to`.'
const VERSIONS =
  `${MOMENT}Newest first; \`next\` is the \`before\` of the next page. \`paths\` are the JSON Pointers that a version's ` +
  'patch names, at most 20 and each cut at 200 characters, `""` for the whole document, null where the patch is larger ' +
  'than 64 kB. `patchBytes` of the change as a patch, `snapshotBytes` of the document.'
