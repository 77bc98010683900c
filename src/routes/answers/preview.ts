import { Type } from '@sinclair/typebox'
import { STREAM_KINDS } from '../../core/sets/stream-kinds.ts'
import { Bytes, Count, choice, Id, Ms, named, nullable, Text } from './types.ts'

const Kind = choice(STREAM_KINDS)

const Answer = Type.Object(
  {
    kind: Kind,
    kindReason: nullable(Text, 'Why it is of that kind; null if its content type says it'),
    shape: choice(['events', 'json', 'text', 'html', 'binary', 'empty']),
    status: Count,
    contentType: nullable(Text),
    redirects: Type.Array(Type.Object({ status: Count, to: Text })),
    wireBytes: Bytes,
    bodyBytes: Bytes,
    isWhole: Type.Boolean({ description: 'Whether the whole body was read' }),
    encoding: nullable(Text),
    etag: nullable(Text),
    lastModified: nullable(Text),
    firstByteMs: Ms,
    tookMs: Ms,
    sample: nullable(Type.Object({ text: Text, isCut: Type.Boolean() }), 'First lines of the body'),
    events: Type.Array(Type.Object({ event: Text, id: nullable(Text), data: Text })),
    comments: Type.Integer({
      minimum: 0,
      description: 'Comments received, usually heartbeats; event streams only',
    }),
    arrays: Type.Array(Type.Object({ path: Text, members: Count, key: Type.Optional(Text) }), {
      description: 'Arrays in the document, each with the key that identifies its members, if any',
    }),
  },
  { description: 'Response of the API' },
)

const Suggestion = Type.Object({
  kind: Kind,
  name: Text,
  intervalMs: Count,
  because: Text,
  arrayKeys: Type.Array(Text),
})

export const PreviewAnswer = named(
  'Looked',
  {
    url: Type.String({ description: 'Normalized URL, as it would be registered' }),
    problem: nullable(
      Type.Object({ code: Text, message: Text, next: Text }),
      "Why the API can't be followed; null if it can",
    ),
    answer: nullable(Answer, 'Null if no response arrived'),
    suggestion: nullable(Suggestion, 'Suggested registration'),
    warnings: Type.Array(Type.Object({ code: Text, message: Text })),
    known: Type.Array(Type.Object({ id: Id, name: Text }), {
      description: 'Streams that already follow this API',
    }),
  },
  'Preview of the API',
)
