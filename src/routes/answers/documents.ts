import { type TSchema, Type } from '@sinclair/typebox'
import type { Answers } from './answer.ts'
import { Bytes, choice, Instant, Json, named, nullable, pageOf, Text } from './types.ts'

const Seq = Type.Integer({ minimum: 1, description: 'The entry that made it' })
const Hash = Type.String({ description: 'SHA-256 of the canonical document, in hex' })
const end = Type.Object({ seq: Seq, at: Instant, hash: Hash })

export const PatchOperation = named(
  'PatchOperation',
  {
    op: choice(['add', 'remove', 'replace', 'move', 'copy', 'test']),
    path: Text,
    from: Type.Optional(Text),
    value: Type.Optional(Json),
  },
  'Of a JSON Patch (RFC 6902)',
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
  kind: choice(['snapshot', 'patch']),
  hash: Hash,
  changed: nullable(Type.Boolean()),
  patchBytes: nullable(Bytes),
  snapshotBytes: nullable(Bytes),
  paths: nullable(Type.Array(Text), 'JSON Pointers that its patch names'),
})
const VersionPage = pageOf(Version)
export const Versions = Type.Object({
  ...VersionPage.properties,
  next: nullable(Type.Integer({ minimum: 1 }), 'The `before` of the next page; null on the last'),
})

const header = (description: string): { description: string; schema: TSchema } => ({
  description,
  schema: Text,
})
const headers = {
  ETag: header('Of the canonical document; weak'),
  'Last-Modified': header('When it was made'),
  'X-Weir-Seq': header('The entry that made it'),
}
/** The document itself, or that the caller has it already. */
export const DOCUMENT: Answers = {
  200: { description: 'The document', headers, content: { 'application/json': { schema: Json } } },
  304: { description: 'What `If-None-Match` names', headers },
}
