import { type Attributes, attributesOf, type Gathering, type RawSpan, serviceOfResource } from './spans.ts'

/** Per span or resource; more are ignored. SDKs stop at 128 themselves. */
const MAX_ATTRIBUTES = 1024
const WHOLE_NUMBER = /^-?\d{1,20}$/

type Fields = Readonly<Record<string, unknown>>

/**
 * Collects the spans of an ExportTraceServiceRequest in OTLP's JSON, one per step. IDs are hexadecimal there, and
 * large numbers may be strings.
 * @see https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 * @throws Error if it isn't one. Problem `body_too_large`
 */
export function* readJsonSpans(body: Uint8Array, gathering: Gathering): Generator<void> {
  const partsOf = (fields: Fields, name: string) => {
    const list = listOf(fields, name)
    gathering.countParts(list.length)
    return list
  }
  const request = fieldsOf(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)), 'the body')
  for (const item of partsOf(request, 'resourceSpans')) {
    const resourceSpans = fieldsOf(item, 'an item of resourceSpans')
    const service = serviceOfResource(attributesFrom(fieldsOf(resourceSpans.resource ?? {}, 'resource')))
    yield
    for (const scopeSpans of partsOf(resourceSpans, 'scopeSpans')) {
      for (const span of partsOf(fieldsOf(scopeSpans, 'an item of scopeSpans'), 'spans')) {
        if (gathering.isFull) gathering.refuseBeyond()
        else gathering.add(service, rawSpan(fieldsOf(span, 'an item of spans')))
        yield
      }
    }
  }
}

function rawSpan(span: Fields): RawSpan {
  return {
    traceId: textOf(span, 'traceId').toLowerCase(),
    spanId: textOf(span, 'spanId').toLowerCase(),
    parentSpanId: textOf(span, 'parentSpanId').toLowerCase(),
    kind: numberOf(span.kind),
    startNs: integerOf(span.startTimeUnixNano),
    endNs: integerOf(span.endTimeUnixNano),
    statusCode: numberOf(fieldsOf(span.status ?? {}, 'status').code),
    attributes: attributesFrom(span),
  }
}

function attributesFrom(holder: Fields): Attributes {
  return attributesOf(
    listOf(holder, 'attributes')
      .slice(0, MAX_ATTRIBUTES)
      .map((item) => {
        const pair = fieldsOf(item, 'an item of attributes')
        return [textOf(pair, 'key'), readValue(pair)] as const
      }),
  )
}

function readValue(pair: Fields): unknown {
  const { stringValue, boolValue, intValue, doubleValue } = fieldsOf(pair.value ?? {}, 'value')
  if (intValue !== undefined && intValue !== null) return Number(integerOf(intValue))
  return stringValue ?? boolValue ?? doubleValue
}

/** Proto3 allows null for any omitted field. */
function listOf(fields: Fields, name: string): readonly unknown[] {
  const list = fields[name] ?? []
  if (!Array.isArray(list)) throw new Error(`${name} must be a list`)
  return list
}

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw new Error(`${what} must be an object`)
}

function textOf(fields: Fields, name: string): string {
  const text = fields[name] ?? ''
  if (typeof text !== 'string') throw new Error(`${name} must be a string`)
  return text
}

function numberOf(value: unknown): number {
  return Number(integerOf(value))
}

function integerOf(value: unknown): bigint {
  if (value === undefined || value === null) return 0n
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value)
  if (typeof value === 'string' && WHOLE_NUMBER.test(value)) return BigInt(value)
  throw new Error('a number must be whole, or a string of one')
}
