import { type TSchema, Type } from '@sinclair/typebox'
import { answer } from './answer.ts'
import { Text } from './types.ts'

const PartialSuccess = Type.Object({
  rejectedSpans: Type.String({ description: 'Integer, as a string' }),
  errorMessage: Text,
})
const Exported = Type.Object({ partialSuccess: Type.Optional(PartialSuccess) })
const RpcStatus = Type.Object({ code: Type.Integer({ description: 'gRPC status code' }), message: Text })

/** In the encoding of the request. */
export const EXPORTED = {
  200: answer({ description: 'An `ExportTraceServiceResponse`', content: inBoth(Exported) }),
  default: answer({ description: 'A `google.rpc.Status`', content: inBoth(RpcStatus) }),
}

function inBoth(schema: TSchema) {
  return { 'application/json': { schema }, 'application/x-protobuf': { schema: {} as TSchema } }
}
