import type { ForeignName } from '../../../../src/transfer/foreign/formats.ts'
import { type FuzzedParser, only, PLANTED } from './parser.ts'

const URL_OF_A = 'https://a.test/x?y=1'
const HEADERS = [{ name: 'Accept', value: 'application/json' }]
const RESPONSE = { status: 200, content: { mimeType: 'application/json' } }
const FEED = { status: 304, content: { mimeType: 'text/event-stream' } }

/** Files that other programs write. */
export const IMPORT_PARSERS = {
  har: {
    ...importOf('har', [
      {
        log: {
          entries: [
            { request: { method: 'GET', url: URL_OF_A, headers: HEADERS }, response: RESPONSE },
            { request: { method: 'POST', url: 'http://u:p@b.test/#f', headers: [] }, response: FEED },
          ],
        },
      },
    ]),
    plant: {
      file: /har\.ts$/,
      find: 'const same = seen.get(url)',
      replace: `if (status === 206 && seen.size === 1) ${PLANTED}; const same = seen.get(url)`,
    },
  },
  postman: {
    ...importOf('postman', [
      {
        info: {
          name: 'Shop',
          schema: 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json',
        },
        auth: { type: 'bearer', bearer: [{ key: 'token', value: '{{token}}' }] },
        variable: [
          { key: 'host', value: 'a.test' },
          { key: 'token', value: '{{host}}1' },
        ],
        item: [
          {
            name: 'Folder',
            auth: { type: 'apikey', apikey: { key: 'k', value: 'v', in: 'query' } },
            item: [
              {
                name: 'Prices',
                request: {
                  method: 'GET',
                  header: [{ key: 'Accept', value: '*/*', disabled: true }],
                  url: {
                    raw: 'https://{{host}}/:id?a=1',
                    query: [{ key: 'a', value: '1' }],
                    variable: [{ key: 'id', value: '7' }],
                  },
                },
              },
            ],
          },
          {
            request: { method: 'POST', url: URL_OF_A, body: { mode: 'graphql', graphql: { query: '{a}' } } },
          },
          { name: 'Text', request: 'https://{{host}}/{{none}}' },
        ],
      },
    ]),
    plant: {
      file: /postman\.ts$/,
      find: 'const fill = (text: string)',
      replace: `if (query !== undefined && folder.auth?.type === 'basic') ${PLANTED}; const fill = (text: string)`,
    },
  },
  'uptime-kuma': {
    ...importOf('uptime-kuma', [
      {
        version: '1.23.0',
        monitorList: [
          {
            type: 'http',
            name: 'A',
            url: URL_OF_A,
            method: 'GET',
            interval: 60,
            active: 1,
            headers: '{"A":"b"}',
          },
          {
            type: 'keyword',
            url: URL_OF_A,
            method: 'PUT',
            body: '{}',
            basic_auth_user: 'u',
            basic_auth_pass: 'p',
          },
          { type: 'ping', hostname: 'a.test', tags: [{ name: 'x', value: 'y' }], authMethod: 'basic' },
        ],
      },
    ]),
    plant: {
      file: /uptime-kuma\.ts$/,
      find: "const body = method === 'GET'",
      replace: `if (method === 'POST' && Array.isArray(monitor.tags)) ${PLANTED}; const body = method === 'GET'`,
    },
  },
  swagger: {
    files: /src\/transfer\/(openapi\/\w+|lines|fields)\.ts$/,
    open: async () => {
      const { readImportLines } = await import('../../../../src/transfer/lines.ts')
      const { Problem } = await import('../../../../src/errors.ts')
      const document = {
        ...{ swagger: '2.0', host: 'a.test', basePath: '/v1', schemes: ['http', 'https'] },
        produces: ['application/json'],
        securityDefinitions: { key: { type: 'apiKey', in: 'query', name: 'key' } },
        paths: {
          '/items/{id}': {
            get: {
              tags: ['items'],
              parameters: [
                { in: 'path', name: 'id', required: true, type: 'integer', 'x-example': 7 },
                {
                  in: 'query',
                  name: 'f',
                  type: 'array',
                  collectionFormat: 'multi',
                  items: { enum: ['a', 'b'] },
                },
              ],
              responses: { 200: { description: 'Item' } },
            },
          },
        },
      }
      return {
        seeds: [JSON.stringify(document)],
        try: async (input) => {
          try {
            for await (const _ of await readImportLines(input, 'openapi', OPTIONS));
          } catch (error) {
            only(error, Problem)
          }
        },
      }
    },
    plant: {
      file: /swagger2\.ts$/,
      find: 'const example = parameter',
      replace: `if (collectionFormat === 'pipes' && place === 'header') ${PLANTED}; const example = parameter`,
    },
  },
} satisfies Record<string, FuzzedParser>

const OPTIONS = { headers: {}, params: new Map<string, string>() }

function importOf(format: ForeignName, seeds: readonly object[]): Omit<FuzzedParser, 'plant'> {
  return {
    files: /src\/transfer\/(foreign\/[\w-]+|fields)\.ts$/,
    open: async () => {
      const { readImportLines } = await import('../../../../src/transfer/lines.ts')
      const { Problem } = await import('../../../../src/errors.ts')
      return {
        seeds: seeds.map((seed) => JSON.stringify(seed)),
        try: async (input) => {
          try {
            for await (const { line } of await readImportLines(input, format, OPTIONS))
              if (!Number.isInteger(line)) throw new Error('A line without a number')
          } catch (error) {
            only(error, Problem)
          }
        },
      }
    },
  }
}
