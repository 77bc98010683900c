import { create, createFileRegistry, type Message } from '@bufbuild/protobuf'
import type { GenMessage } from '@bufbuild/protobuf/codegenv2'
import {
  type FieldDescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt'

/**
 * The fields of OTLP's messages that Weir reads, with their numbers from
 * `opentelemetry/proto/{trace,common,resource}/v1` and `google/rpc/status.proto`; all others are skipped. Attributes
 * that are lists or maps aren't used, and without them messages can't nest.
 * @see https://github.com/open-telemetry/opentelemetry-proto
 */
const MESSAGES = {
  Resource: [repeated('attributes', 1, '.weir.KeyValue')],
  Span: [
    field('trace_id', 1, Type.BYTES),
    field('span_id', 2, Type.BYTES),
    field('parent_span_id', 4, Type.BYTES),
    field('kind', 6, Type.INT32),
    field('start_time_unix_nano', 7, Type.FIXED64),
    field('end_time_unix_nano', 8, Type.FIXED64),
    repeated('attributes', 9, '.weir.KeyValue'),
    field('status', 15, Type.MESSAGE, '.weir.SpanStatus'),
  ],
  SpanStatus: [field('code', 3, Type.INT32)],
  KeyValue: [field('key', 1, Type.STRING), field('value', 2, Type.MESSAGE, '.weir.AnyValue')],
  AnyValue: [
    inOneof(field('string_value', 1, Type.STRING)),
    inOneof(field('bool_value', 2, Type.BOOL)),
    inOneof(field('int_value', 3, Type.INT64)),
    inOneof(field('double_value', 4, Type.DOUBLE)),
  ],
  ExportTraceServiceResponse: [field('partial_success', 1, Type.MESSAGE, '.weir.ExportTracePartialSuccess')],
  ExportTracePartialSuccess: [field('rejected_spans', 1, Type.INT64), field('error_message', 2, Type.STRING)],
  Status: [field('code', 1, Type.INT32), field('message', 2, Type.STRING)],
}

/** Where the parts of a request are: each is decoded separately, so that a request can't exceed its bounds. */
export const TRACE_FIELDS = {
  resourceSpans: 1,
  resource: 1,
  scopeSpans: 2,
  spans: 2,
} as const

export type AnyValueMessage = Message & {
  value:
    | { case: 'stringValue'; value: string }
    | { case: 'boolValue'; value: boolean }
    | { case: 'intValue'; value: bigint }
    | { case: 'doubleValue'; value: number }
    | { case: undefined; value?: undefined }
}
export type KeyValueMessage = Message & { key: string; value?: AnyValueMessage }
export type ResourceMessage = Message & { attributes: KeyValueMessage[] }
export type SpanMessage = Message & {
  traceId: Uint8Array
  spanId: Uint8Array
  parentSpanId: Uint8Array
  kind: number
  startTimeUnixNano: bigint
  endTimeUnixNano: bigint
  attributes: KeyValueMessage[]
  status?: Message & { code: number }
}
export type ResponseMessage = Message & {
  partialSuccess?: Message & { rejectedSpans: bigint; errorMessage: string }
}
export type StatusMessage = Message & { code: number; message: string }

const FILE = createFileRegistry(
  create(FileDescriptorProtoSchema, {
    name: 'weir/otlp.proto',
    package: 'weir',
    syntax: 'proto3',
    messageType: Object.entries(MESSAGES).map(([name, fields]) => ({
      name,
      field: fields,
      oneofDecl: fields.some((each) => each.oneofIndex === 0) ? [{ name: 'value' }] : [],
    })),
  }),
  () => undefined,
)

export const RESOURCE = schema<ResourceMessage>('Resource')
export const SPAN = schema<SpanMessage>('Span')
export const RESPONSE = schema<ResponseMessage>('ExportTraceServiceResponse')
export const STATUS = schema<StatusMessage>('Status')

/** The type restates the description above. */
function schema<Shape extends Message>(name: keyof typeof MESSAGES): GenMessage<Shape> {
  return FILE.getMessage(`weir.${name}`) as GenMessage<Shape>
}

function field(name: string, number: number, type: Type, typeName = ''): FieldDescriptorProto {
  const label = FieldDescriptorProto_Label.OPTIONAL
  return create(FieldDescriptorProtoSchema, { name, number, type, label, ...(typeName && { typeName }) })
}

function repeated(name: string, number: number, typeName: string): FieldDescriptorProto {
  return { ...field(name, number, Type.MESSAGE, typeName), label: FieldDescriptorProto_Label.REPEATED }
}

function inOneof(each: FieldDescriptorProto): FieldDescriptorProto {
  return { ...each, oneofIndex: 0 }
}
