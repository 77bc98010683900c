import { Type } from '@sinclair/typebox'
import { SCOPES } from '../../core/sets/scopes.ts'
import { choice, Id, Instant, named, nullable, Text } from './types.ts'

const KEY = {
  id: Id,
  name: Text,
  scope: choice(SCOPES),
  prefix: Type.String({ description: 'First characters of the secret' }),
  createdAt: Instant,
  createdBy: Text,
  expiresAt: nullable(Instant, 'Null: never expires'),
  revokedAt: nullable(Instant),
  usedAt: nullable(Instant, 'Last use, accurate to a minute'),
  usedFrom: nullable(Text, 'Client address of the last use'),
}

export const Key = named('Key', KEY)
export const NewKey = named('NewKey', {
  ...KEY,
  secret: Type.String({ description: 'Shown only once: Weir stores only its hash' }),
})

export const Deed = named(
  'Deed',
  {
    id: Id,
    at: Instant,
    caller: Type.String({ description: '`token`, `local`, or `key:` with the key ID' }),
    name: Type.String({ description: 'Name of the caller at the time' }),
    method: Text,
    route: Type.String({ description: 'Route pattern' }),
    subject: nullable(Text, 'ID of the affected object; null if there are none or several'),
    status: Type.Integer({ description: 'Response status; 0: the process ended before responding' }),
    address: Text,
  },
  'Audit log record',
)
