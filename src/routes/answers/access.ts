import { Type } from '@sinclair/typebox'
import { SCOPES } from '../../../drizzle/schema.ts'
import { choice, Id, Instant, named, nullable, Text } from './types.ts'

const KEY = {
  id: Id,
  name: Text,
  scope: choice(SCOPES),
  prefix: Type.String({ description: 'What the secret begins with' }),
  createdAt: Instant,
  createdBy: Text,
  expiresAt: nullable(Instant, 'Null: never'),
  revokedAt: nullable(Instant),
  usedAt: nullable(Instant, 'The last use, give or take a minute'),
  usedFrom: nullable(Text, 'The address of that use'),
}

export const Key = named('Key', KEY)
export const NewKey = named('NewKey', {
  ...KEY,
  secret: Type.String({ description: 'Told this once: Weir keeps no more than a hash of it' }),
})

export const Deed = named('Deed', {
  id: Id,
  at: Instant,
  caller: Type.String({ description: '`token`, `key:` with its id, or `local`' }),
  name: Type.String({ description: 'Of the caller, as it was then' }),
  method: Text,
  route: Type.String({ description: 'Its pattern' }),
  subject: nullable(Text, 'Id of what it was done to; null: many, or none'),
  status: Type.Integer({ description: 'Of the answer; 0: the process ended before there was one' }),
  address: Text,
})
