import { Type } from '@sinclair/typebox'
import { KINDS } from '../../../drizzle/schema.ts'
import { Bytes, Count, choice, Id, Ms, named, nullable, Text } from './types.ts'

const Kind = choice(KINDS)

const Answer = Type.Object(
  {
    kind: Kind,
    shape: choice(['events', 'json', 'text', 'html', 'binary', 'empty']),
    status: Count,
    contentType: nullable(Text),
    redirects: Type.Array(Type.Object({ status: Count, to: Text })),
    wireBytes: Bytes,
    bodyBytes: Bytes,
    isWhole: Type.Boolean({ description: 'Whether the body was read to its end' }),
    encoding: nullable(Text),
    etag: nullable(Text),
    lastModified: nullable(Text),
    firstByteMs: Ms,
    tookMs: Ms,
    sample: nullable(Type.Object({ text: Text, isCut: Type.Boolean() }), 'The first lines'),
    events: Type.Array(Type.Object({ event: Text, id: nullable(Text), data: Text })),
    comments: Type.Integer({ minimum: 0, description: 'Of an event stream: heartbeats, mostly' }),
    arrays: Type.Array(Type.Object({ path: Text, members: Count, key: Type.Optional(Text) }), {
      description: 'With the key that identifies the members, where one does',
    }),
  },
  { description: 'What came' },
)

const Suggestion = Type.Object({
  kind: Kind,
  name: Text,
  intervalMs: Count,
  because: Text,
  arrayKeys: Type.Array(Text),
})

export const Looked = named('Looked', {
  url: Type.String({ description: 'As it would be registered' }),
  problem: nullable(
    Type.Object({ code: Text, message: Text, next: Text }),
    'Why it can’t be followed as it is; null where it can',
  ),
  answer: nullable(Answer, 'Null where nothing came'),
  suggestion: nullable(Suggestion, 'What to register it with'),
  warnings: Type.Array(Type.Object({ code: Text, message: Text })),
  known: Type.Array(Type.Object({ id: Id, name: Text }), { description: 'Streams that follow it already' }),
})
