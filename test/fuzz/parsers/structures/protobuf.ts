import { type Choice, changedList } from './choice.ts'

/** Deeper messages are taken for bytes. */
const MAX_DEPTH = 8
/** One of so many changes gives a field another number, or another type: most decoders refuse it. */
const RARELY = 12

interface Field {
  number: number
  /** @see https://protobuf.dev/programming-guides/encoding/#structure */
  value:
    | { wire: 0; varint: bigint }
    | { wire: 1 | 5; fixed: Buffer }
    | { wire: 2; bytes: Buffer; message?: Field[] }
}

/** A message (as Latin-1) with one of its fields changed, at any depth, and all lengths true; undefined if it is none. */
export function changedProtobuf(text: string, other: string, choice: Choice): string | undefined {
  const fields = fieldsIn(Buffer.from(text, 'latin1'))
  if (fields === undefined) return undefined
  const others = fieldsIn(Buffer.from(other, 'latin1')) ?? []
  return encoded(changed(fields, others, choice)).toString('latin1')
}

/** Changes some field, each of the same likelihood at whatever depth, or the list that it is in. */
function changed(fields: Field[], others: Field[], choice: Choice): Field[] {
  const index = choice.below(sizeOf(fields))
  return changedAt(fields, index, others, choice)
}

function changedAt(fields: Field[], index: number, others: Field[], choice: Choice): Field[] {
  let before = 0
  for (const [at, field] of fields.entries()) {
    const message = field.value.wire === 2 ? field.value.message : undefined
    const inner = message === undefined ? 0 : sizeOf(message)
    if (message !== undefined && index > before && index <= before + inner) {
      // The same place of another message has fields of the same kind.
      const beside = others.find(({ number }) => number === field.number)?.value
      const theirs = beside?.wire === 2 ? (beside.message ?? []) : []
      const value = messageOf(changedAt(message, index - before - 1, theirs, choice))
      return fields.with(at, { ...field, value })
    }
    if (index === before && message === undefined && choice.below(3) > 0) {
      const number = choice.below(RARELY) === 0 ? 1 + choice.below(16) : field.number
      return fields.with(at, { number, value: valueFrom(field.value, choice) })
    }
    if (index === before) break
    before += 1 + inner
  }
  return changedList(fields, partOf(others, choice), choice)
}

/** Fields at all depths. */
function sizeOf(fields: readonly Field[]): number {
  return fields.reduce((sum, { value }) => sum + 1 + sizeOf((value.wire === 2 && value.message) || []), 0)
}

function partOf(fields: readonly Field[], choice: Choice): Field | undefined {
  const field = choice.pick(fields)
  const message = field?.value.wire === 2 ? field.value.message : undefined
  return message === undefined || message.length === 0 || choice.below(2) === 0
    ? field
    : partOf(message, choice)
}

function valueFrom(value: Field['value'], choice: Choice): Field['value'] {
  const wire = choice.below(RARELY) === 0 ? choice.pick([0, 1, 2, 5] as const) : value.wire
  if (wire === 0) return { wire, varint: BigInt.asUintN(64, BigInt(Math.trunc(finite(choice.number())))) }
  if (wire === 1 || wire === 5) {
    const fixed = Buffer.alloc(wire === 1 ? 8 : 4)
    fixed.writeUInt32LE(choice.below(2 ** 32), 0)
    return { wire, fixed: choice.below(2) === 0 ? fixed : Buffer.alloc(fixed.length, choice.below(2) * 255) }
  }
  const word = Buffer.from(choice.word())
  if (value.wire !== 2 || choice.below(2) === 0) return { wire: 2, bytes: word }
  return { wire: 2, bytes: value.bytes.subarray(0, choice.below(value.bytes.length + 1)) }
}

function finite(number: number): number {
  return Number.isFinite(number) ? number : 0
}

function messageOf(message: Field[]): Field['value'] {
  return { wire: 2, bytes: encoded(message), message }
}

function fieldsIn(bytes: Buffer, depth = 0): Field[] | undefined {
  const fields: Field[] = []
  for (let at = 0; at < bytes.length; ) {
    const tag = varintAt(bytes, at)
    if (tag === undefined || tag.value < 8n || tag.value > 0xffff_ffffn) return undefined
    const number = Number(tag.value >> 3n)
    const wire = Number(tag.value & 7n)
    at = tag.end
    if (wire === 0) {
      const read = varintAt(bytes, at)
      if (read === undefined) return undefined
      fields.push({ number, value: { wire, varint: read.value } })
      at = read.end
    } else if (wire === 1 || wire === 5) {
      const end = at + (wire === 1 ? 8 : 4)
      if (end > bytes.length) return undefined
      fields.push({ number, value: { wire, fixed: bytes.subarray(at, end) } })
      at = end
    } else if (wire === 2) {
      const length = varintAt(bytes, at)
      if (length === undefined || length.value > BigInt(bytes.length - length.end)) return undefined
      const inner = bytes.subarray(length.end, length.end + Number(length.value))
      const message = depth < MAX_DEPTH && inner.length > 1 ? fieldsIn(inner, depth + 1) : undefined
      fields.push({ number, value: { wire, bytes: inner, ...(message && { message }) } })
      at = length.end + inner.length
    } else return undefined
  }
  return fields
}

function varintAt(bytes: Buffer, from: number): { value: bigint; end: number } | undefined {
  let value = 0n
  for (let at = from; at < Math.min(bytes.length, from + 10); at++) {
    const byte = bytes[at] as number
    value |= BigInt(byte & 0x7f) << BigInt(7 * (at - from))
    if (byte < 0x80) return { value, end: at + 1 }
  }
  return undefined
}

function encoded(fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.flatMap(({ number, value }) => {
      const tag = varint(BigInt((number << 3) | value.wire))
      if (value.wire === 0) return [tag, varint(value.varint)]
      if (value.wire !== 2) return [tag, value.fixed]
      const bytes = value.message === undefined ? value.bytes : encoded(value.message)
      return [tag, varint(BigInt(bytes.length)), bytes]
    }),
  )
}

function varint(value: bigint): Buffer {
  const bytes: number[] = []
  let left = value
  do {
    bytes.push(Number(left & 0x7fn) | (left > 0x7fn ? 0x80 : 0))
    left >>= 7n
  } while (left > 0n)
  return Buffer.from(bytes)
}
