import { type TSchema, Type } from '@sinclair/typebox'
import type { Answers } from './answer.ts'
import { Text } from './types.ts'

const PartialSuccess = Type.Object({
  rejectedSpans: Type.String({ description: 'Integer, as a string' }),
  errorMessage: Text,
})
const Exported = Type.Object({ partialSuccess: Type.Optional(PartialSuccess) })
const RpcStatus = Type.Object({ code: Type.Integer({ description: 'gRPC status code' }), message: Text })

/** In the encoding of the request. */
export const EXPORTED: Answers = {
  200: { description: 'An `ExportTraceServiceResponse`', content: inBoth(Exported) },
  default: { description: 'A `google.rpc.Status`', content: inBoth(RpcStatus) },
}

function inBoth(schema: TSchema) {
  return { 'application/json': { schema }, 'application/x-protobuf': { schema: {} as TSchema } }
}
