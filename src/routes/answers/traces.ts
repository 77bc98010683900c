import { type TSchema, Type } from '@sinclair/typebox'
import type { Answers } from './answer.ts'
import { Text } from './types.ts'

const PartialSuccess = Type.Object({
  rejectedSpans: Type.String({ description: 'A whole number' }),
  errorMessage: Text,
})
const Exported = Type.Object({ partialSuccess: Type.Optional(PartialSuccess) })
const RpcStatus = Type.Object({ code: Type.Integer({ description: 'Of gRPC' }), message: Text })

/** In the encoding that the request came in. */
export const EXPORTED: Answers = {
  200: { description: 'An `ExportTraceServiceResponse`', content: inBoth(Exported) },
  default: { description: 'A `google.rpc.Status`', content: inBoth(RpcStatus) },
}

function inBoth(schema: TSchema) {
  return { 'application/json': { schema }, 'application/x-protobuf': { schema: {} as TSchema } }
}
