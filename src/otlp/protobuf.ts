import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import { type KeyValueMessage, RESOURCE, RESPONSE, SPAN, STATUS, TRACE_FIELDS } from './messages.ts'
import { type Attributes, attributesOf, type Gathering, type RawSpan, serviceOfResource } from './spans.ts'

/**
 * Largest span or resource, in bytes. Decoding takes about a hundred times the bytes of the smallest attribute; a
 * larger span is rejected, and so are the spans of a larger resource.
 */
export const MAX_PART_BYTES = 262_144
const TOO_LARGE = `A span and a resource may have ${MAX_PART_BYTES} bytes each.`
/** Deeper than any field of these messages. */
const NESTED_GROUPS = 10

/**
 * Collects the spans of an ExportTraceServiceRequest, one per step.
 * @throws Error if it isn't one, from its first byte to its last. Problem `body_too_large`
 */
export function* readProtobuf(body: Uint8Array, gathering: Gathering): Generator<void> {
  for (const resourceSpans of parts(gathering, body, TRACE_FIELDS.resourceSpans)) {
    yield* addResource(gathering, resourceSpans)
  }
}

/** The response to a protobuf request. */
export function encodeResponse(response: MessageInitShape<typeof RESPONSE>): Uint8Array<ArrayBuffer> {
  return toBinary(RESPONSE, create(RESPONSE, response))
}

export function encodeStatus(status: MessageInitShape<typeof STATUS>): Uint8Array<ArrayBuffer> {
  return toBinary(STATUS, create(STATUS, status))
}

function* addResource(gathering: Gathering, resourceSpans: Uint8Array): Generator<void> {
  let resource: Uint8Array = new Uint8Array()
  for (const each of parts(gathering, resourceSpans, TRACE_FIELDS.resource)) resource = each
  const isTooLarge = resource.length > MAX_PART_BYTES
  const service = serviceOfResource(
    isTooLarge ? new Map() : attributesFrom(decode(RESOURCE, resource).attributes),
  )
  yield
  for (const scopeSpans of parts(gathering, resourceSpans, TRACE_FIELDS.scopeSpans)) {
    for (const span of parts(gathering, scopeSpans, TRACE_FIELDS.spans)) {
      if (gathering.isFull) gathering.refuseBeyond()
      else if (isTooLarge || span.length > MAX_PART_BYTES) gathering.refuse(TOO_LARGE)
      else gathering.add(service, rawSpan(span))
      yield
    }
  }
}

/** The messages of one field; all other fields are skipped. */
function* parts(gathering: Gathering, message: Uint8Array, wanted: number): Generator<Uint8Array> {
  const reader = new BinaryReader(message)
  while (reader.pos < reader.len) {
    gathering.countParts(1)
    const [number, type] = reader.tag()
    if (number === wanted && type === WireType.LengthDelimited) yield reader.bytes()
    else reader.skip(type, number, NESTED_GROUPS)
  }
}

function rawSpan(bytes: Uint8Array): RawSpan {
  const { traceId, spanId, parentSpanId, kind, status, attributes, ...times } = decode(SPAN, bytes)
  return {
    ...{ traceId: hex(traceId), spanId: hex(spanId), parentSpanId: hex(parentSpanId), kind },
    ...{ startNs: times.startTimeUnixNano, endNs: times.endTimeUnixNano },
    ...{ statusCode: status?.code ?? 0, attributes: attributesFrom(attributes) },
  }
}

function attributesFrom(pairs: readonly KeyValueMessage[]): Attributes {
  return attributesOf(
    pairs.map(({ key, value }) => {
      const { value: plain } = value?.value ?? {}
      return [key, typeof plain === 'bigint' ? Number(plain) : plain] as const
    }),
  )
}

function decode<Schema extends typeof RESOURCE | typeof SPAN>(schema: Schema, bytes: Uint8Array) {
  return fromBinary(schema, bytes, { readUnknownFields: false })
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}
