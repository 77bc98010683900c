import {
  type Static,
  type TObject,
  type TProperties,
  type TSchema,
  type TUnsafe,
  Type,
} from '@sinclair/typebox'

export const Id = Type.String({ format: 'uuid' })
/** A time: a `Date` in a handler, ISO 8601 on the wire. */
export const Instant = Type.Unsafe<Date | string>(
  Type.String({ format: 'date-time', description: 'ISO 8601' }),
)
export const Day = Type.String({ format: 'date', description: 'UTC day' })
export const Count = Type.Integer({ minimum: 0 })
export const Bytes = Type.Integer({ minimum: 0, description: 'Bytes' })
/** May be a fraction. */
export const Ms = Type.Number({ minimum: 0, description: 'Milliseconds' })
export const Text = Type.String()
export const Json = Type.Unknown({ description: 'Any JSON' })
export const Headers = Type.Record(Type.String(), Type.String())

/** One of a set of strings. */
export function choice<T extends string>(values: readonly T[], description?: string) {
  return Type.Unsafe<T>({ type: 'string', enum: [...values], ...(description && { description }) })
}

export function nullable<S extends TSchema>(schema: S, description?: string): TUnsafe<Static<S> | null> {
  return Type.Unsafe(Type.Union([schema, Type.Null()], description === undefined ? {} : { description }))
}

/** A named schema: listed once in the document and referenced elsewhere. */
export function named<P extends TProperties>($id: string, fields: P, description?: string): TObject<P> {
  return Type.Object(fields, { $id, ...(description && { description }) })
}

export function listOf<S extends TSchema>(item: S) {
  return Type.Object({ items: Type.Array(item) })
}

/** A page of a list with the cursor of the next one. */
export function pageOf<S extends TSchema>(item: S) {
  const next = nullable(Type.String(), 'Cursor of the next page; null on the last page')
  return Type.Object({ items: Type.Array(item), next })
}
