import type { ProblemCode } from '../../errors.ts'

/** A JSON Schema as it appears in the document. */
export interface ApiSchema {
  $id?: string
  $ref?: string
  type?: string | readonly string[]
  format?: string
  description?: string
  default?: unknown
  const?: unknown
  enum?: readonly unknown[]
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
  items?: ApiSchema | readonly ApiSchema[]
  additionalItems?: boolean
  prefixItems?: readonly ApiSchema[]
  anyOf?: readonly ApiSchema[]
  required?: readonly string[]
  properties?: Readonly<Record<string, ApiSchema>>
  patternProperties?: Readonly<Record<string, ApiSchema>>
  additionalProperties?: boolean | ApiSchema
}

export interface ApiParameter {
  name: string
  in: 'path' | 'query' | 'header'
  required?: boolean
  description?: string
  schema: ApiSchema
}

export interface ApiContent {
  schema: ApiSchema
  example?: unknown
  'x-line'?: ApiSchema
  'x-events'?: Readonly<Record<string, ApiSchema>>
}

export interface ApiResponse {
  description: string
  headers?: Readonly<Record<string, { description: string; schema: ApiSchema }>>
  content?: Readonly<Record<string, ApiContent>>
  /** Codes of the problems it may return. */
  'x-codes'?: readonly ProblemCode[]
}

export interface ApiOperation {
  operationId: string
  tags?: readonly string[]
  summary: string
  description?: string
  parameters?: readonly ApiParameter[]
  /** The accepted authentication schemes, each with its required roles. */
  security?: readonly Readonly<Record<string, readonly string[]>>[]
  requestBody?: { required: boolean; content: Readonly<Record<string, ApiContent>> }
  responses?: Readonly<Record<string, ApiResponse>>
  'x-problems'?: readonly ProblemCode[]
}

/** The OpenAPI document. @see https://spec.openapis.org/oas/v3.1.1.html */
export interface ApiDocument {
  openapi: string
  info: { title: string; version: string; description: string }
  security: readonly object[]
  tags: readonly { name: string; description: string }[]
  /** By path, then by method in lower case. */
  paths: Readonly<Record<string, Readonly<Record<string, ApiOperation>>>>
  components: { schemas: Readonly<Record<string, ApiSchema>>; securitySchemes: object }
}
