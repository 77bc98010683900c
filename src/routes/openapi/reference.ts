import type { OpenApiPageProps } from '../../../views/openapi/openapi.tsx'
import type { AnswerView, BodyView, ContentView, OperationView } from '../../../views/openapi/operation.tsx'
import type { ParameterView, SchemaView } from '../../../views/openapi/schema.tsx'
import { PROBLEMS, type ProblemCode } from '../../errors.ts'
import { exampleOf } from './example.ts'
import { MEANINGS } from './problems.ts'
import type { ApiContent, ApiDocument, ApiOperation, ApiParameter, ApiSchema } from './types.ts'
import { boundsOf, fieldsOf, wordsOf } from './words.ts'

const PROBLEM_TYPE = 'application/problem+json'
const EVENTS = 'text/event-stream'
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

/** The document as people read it. */
export function referenceOf(document: ApiDocument): OpenApiPageProps {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      tag: operation.tags?.[0],
      view: operationView(document, path, method, operation),
    })),
  )
  const groups = document.tags.map(({ name, description }) => ({
    name,
    description,
    operations: operations
      .filter(({ tag }) => tag === name)
      .map(({ view }) => view)
      .sort(byPath),
  }))
  return {
    version: document.info.version,
    description: document.info.description,
    groups: groups.filter((group) => group.operations.length > 0),
    schemas: Object.entries(document.components.schemas).map(([name, schema]) => schemaView(name, schema)),
    problems: (Object.keys(PROBLEMS) as ProblemCode[]).map((code) => ({
      code,
      status: PROBLEMS[code],
      meaning: MEANINGS[code],
    })),
  }
}

/** What is done with many comes before what is done with one; of one path, as people meet it. */
function byPath(a: OperationView, b: OperationView): number {
  if (a.path !== b.path) return a.path < b.path ? -1 : 1
  return METHODS.indexOf(a.method) - METHODS.indexOf(b.method)
}

function operationView(
  document: ApiDocument,
  path: string,
  method: string,
  operation: ApiOperation,
): OperationView {
  const { operationId: id, summary, description = '', parameters = [], responses = {} } = operation
  const answers = Object.entries(responses).filter(([status]) => /^[23]/.test(status))
  const types = answers.flatMap(([, { content = {} }]) => Object.keys(content))
  const body = bodyView(document, operation)
  return {
    ...{ id, path, summary, description, body },
    method: method.toUpperCase(),
    parameters: parameters.map(parameterView),
    answers: answers.map(([status, answer]) => answerView(document, status, answer)),
    problems: problemsOf(responses),
    ownErrors: ownErrors(responses.default),
    types: [...new Set(types)],
    curl: curlOf(path, method.toUpperCase(), body, types.includes(EVENTS)),
  }
}

function parameterView({ name, in: place, required = false, description = '', schema }: ApiParameter) {
  const view: ParameterView = {
    ...{ name, place, description },
    isRequired: required,
    words: wordsOf(schema),
    bounds: boundsOf(schema),
    choices: (schema.enum ?? []).map(String),
  }
  return view
}

function bodyView(document: ApiDocument, { requestBody }: ApiOperation): BodyView | undefined {
  if (requestBody === undefined) return undefined
  const { required, content } = requestBody
  const [[type, first] = ['application/json', { schema: {} } as ApiContent]] = Object.entries(content)
  return {
    isRequired: required,
    types: Object.keys(content),
    type,
    words: wordsOf(first.schema),
    fields: fieldsOf(first.schema),
    example: exampleText(document, requiredOnly(first.schema), first.example),
  }
}

/** What a body needs: that what may be left out stays out of an example. */
function requiredOnly(schema: ApiSchema): ApiSchema {
  const { properties, required = [] } = schema
  if (properties === undefined || required.length === 0) return schema
  return {
    ...schema,
    properties: Object.fromEntries(Object.entries(properties).filter(([name]) => required.includes(name))),
  }
}

function answerView(
  document: ApiDocument,
  status: string,
  { description, content = {}, headers = {} }: NonNullable<ApiOperation['responses']>[string],
): AnswerView {
  return {
    ...{ status, description },
    headers: Object.entries(headers).map(([name, header]) => ({ name, description: header.description })),
    contents: Object.entries(content).map(([type, each]) => contentView(document, type, each)),
  }
}

function contentView(document: ApiDocument, type: string, content: ApiContent): ContentView {
  const { schema, 'x-line': line, 'x-events': events } = content
  const hasExample = type === 'application/json' && Object.keys(schema).length > 0
  return {
    type,
    words: line === undefined ? wordsOf(schema) : ['lines of ', ...wordsOf(line)],
    fields: fieldsOf(line ?? schema),
    events: Object.entries(events ?? {}).map(([name, data]) => ({
      name,
      words: wordsOf(data),
      fields: fieldsOf(data),
    })),
    example: hasExample ? exampleText(document, schema) : undefined,
  }
}

function exampleText({ components }: ApiDocument, schema: ApiSchema, given?: unknown): string {
  return JSON.stringify(given ?? exampleOf(schema, components.schemas), null, 2)
}

function problemsOf(responses: NonNullable<ApiOperation['responses']>): OperationView['problems'] {
  return Object.entries(responses).flatMap(([status, { 'x-codes': codes = [] }]) =>
    codes.map((code) => ({ status, code, meaning: MEANINGS[code] })),
  )
}

/** How errors are told that are no problem details. */
function ownErrors(answer: NonNullable<ApiOperation['responses']>[string] | undefined): string {
  if (answer === undefined || answer.content?.[PROBLEM_TYPE] !== undefined) return ''
  return answer.description
}

function schemaView(name: string, schema: ApiSchema): SchemaView {
  return { name, description: schema.description ?? '', words: wordsOf(schema), fields: fieldsOf(schema) }
}

/** A command for a terminal. `{origin}` stands for where Weir is, the token is a variable of the shell. */
function curlOf(path: string, method: string, body: BodyView | undefined, isStream: boolean): string {
  const parts = [
    isStream ? 'curl -N' : 'curl',
    ...(method === 'GET' ? [] : [`-X ${method}`]),
    `"{origin}${path}"`,
    '-H "Authorization: Bearer $WEIR_TOKEN"',
  ]
  if (body !== undefined) {
    const text = body.example === '' ? '' : JSON.stringify(JSON.parse(body.example))
    parts.push(`-H 'Content-Type: ${body.type}'`, `-d '${text.replaceAll("'", "'\\''")}'`)
  }
  return parts.join(' ')
}
