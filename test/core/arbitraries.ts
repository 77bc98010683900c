import fc from 'fast-check'
import type { Json } from '../../src/core/documents/document.ts'
import { IDS, SCALARS } from './random-documents.ts'

/** Documents as `parseJson` could give them, with members that have such names, and rows that an id tells apart, or nearly. */
export function documents(keys: readonly string[], maxDepth = 6): fc.Arbitrary<Json> {
  const key = fc.constantFrom(...keys)
  const { document } = fc.letrec<{ document: Json }>((tie) => {
    const row = fc
      .tuple(fc.constantFrom('id', '_id', 'key', 'uuid'), fc.option(fc.constantFrom(...IDS)), tie('document'))
      .map(([name, id, value]) => (id === null ? { value } : { [name]: id, value }))
    return {
      document: fc.oneof(
        { maxDepth, withCrossShrink: true },
        fc.constantFrom(...SCALARS),
        fc.array(tie('document'), { maxLength: 6 }),
        fc.array(row, { maxLength: 12 }),
        fc
          .array(fc.tuple(key, tie('document')), { maxLength: 6 })
          .map((members) => Object.fromEntries(members)),
      ),
    }
  })
  return document
}

/** A document, and what a few edits made of it: members added, removed, moved, doubled, replaced, at any depth. */
export function changes(keys: readonly string[]): fc.Arbitrary<{ from: Json; to: Json }> {
  const edit = fc.record({
    way: fc.array(fc.nat(11), { maxLength: 4 }),
    kind: fc.constantFrom('add', 'remove', 'move', 'double', 'reverse', 'replace' as const),
    at: fc.nat(11),
    key: fc.constantFrom(...keys),
    value: documents(keys, 2),
  })
  return fc
    .tuple(documents(keys), fc.array(edit, { minLength: 1, maxLength: 4 }))
    .map(([from, edits]) => ({ from, to: edits.reduce(edited, from) }))
}

interface Edit {
  /** Which member to go into at each level, before the change is made. */
  way: readonly number[]
  kind: 'add' | 'remove' | 'move' | 'double' | 'reverse' | 'replace'
  at: number
  key: string
  value: Json
}

function edited(document: Json, edit: Edit): Json {
  if (typeof document !== 'object' || document === null) return edit.value
  const isArray = Array.isArray(document)
  const members: [key: string, value: Json][] = Object.entries(document)
  const [step, ...way] = edit.way
  const inner = step === undefined ? undefined : members[step % Math.max(members.length, 1)]
  if (inner === undefined) change(members, edit)
  else inner[1] = edited(inner[1], { ...edit, way })
  return isArray ? members.map(([, value]) => value) : Object.fromEntries(members)
}

function change(members: [key: string, value: Json][], { kind, at, key, value }: Edit): void {
  const place = members.length === 0 ? 0 : at % members.length
  const chosen = members[place]
  if (chosen === undefined || kind === 'add') members.splice(place, 0, [key, value])
  else if (kind === 'remove') members.splice(place, 1)
  else if (kind === 'move') members.unshift(...members.splice(place, 1))
  else if (kind === 'double') members.push([key, chosen[1]])
  else if (kind === 'reverse') members.reverse()
  else chosen[1] = value
}
