/** A document as shops publish them: servers with variables, references, parameters of every kind, and keys. */
export const BOOKSHOP = `
openapi: 3.1.0
info: { title: Bookshop, version: 2.4.0 }
servers:
  - url: https://{region}.books.example.com/{version}/
    variables:
      region: { default: eu, enum: [eu, us] }
      version: { default: v2 }
security:
  - apiKey: []
  - oauth: [read]
tags: [{ name: books }]
paths:
  /books:
    get:
      summary: All books
      operationId: listBooks
      tags: [books, "new, hot"]
      parameters:
        - $ref: '#/components/parameters/Page'
        - { name: genre, in: query, required: true, schema: { type: string, enum: [crime, travel] } }
        - { name: sort, in: query, schema: { type: string, default: title } }
      responses:
        '200': { $ref: '#/components/responses/Books' }
    post: { summary: Add a book, responses: { '201': { description: Added } } }
  /books/{bookId}:
    parameters:
      - { name: bookId, in: path, required: true, schema: { $ref: '#/components/schemas/BookId' } }
    get:
      operationId: readBook
      responses: { 2XX: { description: One, content: { application/hal+json: {} } } }
  /books/{bookId}/reviews/{reviewId}:
    get:
      summary: One review
      parameters:
        - { name: bookId, in: path, required: true, schema: { $ref: '#/components/schemas/BookId' } }
        - { name: reviewId, in: path, required: true, schema: { type: integer } }
      responses: {}
  /sales:
    servers: [{ url: 'https://live.example.com' }]
    get:
      summary: Sales as they happen
      security: []
      responses: { '200': { description: Live, content: { text/event-stream: {} } } }
  /search:
    get:
      summary: Search
      parameters:
        - { name: filter, in: query, required: true, style: deepObject, explode: true, example: { lang: [pl], max: 5 } }
        - { name: ids, in: query, required: true, explode: false, schema: { type: array, items: { type: integer, default: 7 } } }
        - name: where
          in: query
          required: true
          content: { application/json: { schema: { default: { a: 'ż ' } } } }
        - { name: X-Version, in: header, required: true, examples: { first: { value: 3 } } }
        - { name: Authorization, in: header, required: true, schema: { type: string } }
        - { name: session, in: cookie, required: true, schema: { const: none } }
      responses:
        default: { description: Found, content: { application/json: {}, text/event-stream: {} } }
  /circle: { get: { parameters: [{ $ref: '#/components/parameters/Circle' }], responses: {} } }
  /elsewhere: { $ref: 'https://example.com/paths.yaml#/elsewhere' }
  /nowhere: { get: { parameters: [{ $ref: '#/__proto__/x' }], responses: {} } }
  x-note: { get: { responses: {} } }
components:
  parameters:
    Page: { name: page, in: query, required: true, schema: { allOf: [{ type: integer }, { default: 1 }] } }
    Circle: { $ref: '#/components/parameters/Circle' }
  schemas:
    BookId: { type: string, examples: ['978/0 1'] }
  responses:
    Books: { description: Books, content: { application/json: {} } }
  securitySchemes:
    apiKey: { type: apiKey, in: header, name: X-Api-Key }
    oauth: { type: oauth2, flows: {} }
`
