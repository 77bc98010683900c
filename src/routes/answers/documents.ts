import { type TSchema, Type } from '@sinclair/typebox'
import { VERSION_KINDS } from '../../core/sets/entry-kinds.ts'
import { answer } from './answer.ts'
import { Bytes, choice, Instant, Json, named, nullable, pageOf, Text } from './types.ts'

const Seq = Type.Integer({ minimum: 1, description: '`seq` of the entry that produced this version' })
const Hash = Type.String({ description: 'SHA-256 of the canonical document, as hex' })
const end = Type.Object({ seq: Seq, at: Instant, hash: Hash })

export const PatchOperation = named(
  'PatchOperation',
  {
    op: choice(['add', 'remove', 'replace', 'move', 'copy', 'test']),
    path: Text,
    from: Type.Optional(Text),
    value: Type.Optional(Json),
  },
  'JSON Patch operation (RFC 6902)',
)

export const Diff = named('Diff', {
  from: end,
  to: end,
  patch: Type.Array(PatchOperation),
  patchBytes: Bytes,
  snapshotBytes: Bytes,
})

const Version = named('Version', {
  seq: Seq,
  at: Instant,
  kind: choice(VERSION_KINDS),
  hash: Hash,
  changed: nullable(Type.Boolean()),
  patchBytes: nullable(Bytes),
  snapshotBytes: nullable(Bytes),
  paths: nullable(Type.Array(Text), 'JSON Pointers in the patch'),
})
const VersionPage = pageOf(Version)
export const Versions = Type.Object({
  ...VersionPage.properties,
  next: nullable(Type.Integer({ minimum: 1 }), '`before` parameter for the next page; null on the last page'),
})

const header = (description: string): { description: string; schema: TSchema } => ({
  description,
  schema: Text,
})
const headers = {
  ETag: header('Hash of the canonical document, as a weak ETag'),
  'Last-Modified': header('Time of this version'),
  'X-Weir-Seq': header('`seq` of the entry that produced this version'),
}
/** The document, or 304 if the client already has it. */
export const DOCUMENT = {
  200: answer({
    description: 'The document',
    headers,
    content: { 'application/json': { schema: Json } },
  }),
  304: answer({ description: 'Not modified: `If-None-Match` matches', headers }),
}
