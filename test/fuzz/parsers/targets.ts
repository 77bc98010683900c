import type { Plant } from './load.ts'
import { MORE_PLANTS } from './plants.ts'
import { IMPORT_PARSERS } from './targets/imports.ts'
import { type FuzzedParser, only, PLANTED, same } from './targets/parser.ts'
import { UPSTREAM_PARSERS } from './targets/upstreams.ts'

/** By name, as given to `--parser`. */
export const PARSERS = {
  sse: {
    files: /eventsource-parser\/dist\/parse\.js$/,
    plant: {
      file: /parse\.js$/,
      find: '    function dispatchEvent() {',
      replace: `    function dispatchEvent() { if (dataLines === 3 && eventType && id === '') ${PLANTED};`,
    },
    open: async () => {
      const { createParser } = await import('eventsource-parser')
      const read = (chunks: readonly string[]) => {
        const told: unknown[] = []
        const parser = createParser({
          maxBufferSize: 65_536,
          onEvent: (event) => told.push(event),
          onComment: (comment) => told.push(comment),
          onRetry: (retry) => told.push(retry),
        })
        for (const chunk of chunks) parser.feed(chunk)
        return told
      }
      return {
        seeds: [
          'data: a\n\n',
          'retry: 2000\nid: 1\nevent: price\ndata: {"a":1}\ndata: more\n\n: comment\n\n',
          'id\r\ndata:x\rdata\r\r',
          '\uFEFFdata: é\n\nid: 2\n\n',
        ],
        try: (input) => {
          const cut = input.length >> 1
          same(read([input.slice(0, cut), input.slice(cut)]), read([...input]), 'Depends on its chunks')
        },
      }
    },
  },
  json: {
    files: /src\/core\/documents\/json\.ts$/,
    plant: {
      file: /json\.ts$/,
      find: "if (typeof value === 'number') return",
      replace: `if (value === -Infinity && source.includes('.')) ${PLANTED}; if (typeof value === 'number') return`,
    },
    open: async () => {
      const { parseJson, stringifyJson } = await import('../../../src/core/documents/json.ts')
      const parse = (text: string) => {
        try {
          return { value: parseJson(text) }
        } catch (error) {
          only(error, SyntaxError)
          return undefined
        }
      }
      return {
        seeds: ['{"a":[1,2.5,-3e10,true,null,"text"]}', '12345678901234567890', '[1e400,0.1]', '"\\u0000n1"'],
        try: (input) => {
          const parsed = parse(input)
          if (parsed === undefined) return
          const text = stringifyJson(parsed.value)
          same(JSON.parse(text), JSON.parse(input), 'Changed by a round trip')
          same(stringifyJson(parseJson(text)), text, 'Changed by a second round trip')
        },
      }
    },
  },
  pointer: {
    files: /src\/core\/documents\/pointer\.ts$/,
    plant: {
      file: /pointer\.ts$/,
      find: 'value = value[Number(token)]',
      replace: `if (token.length === 3 && pointer.length === 4) ${PLANTED}; value = value[Number(token)]`,
    },
    open: async () => {
      const { parsePointer, select, omit } = await import('../../../src/core/documents/pointer.ts')
      const document = () => ({ a: { '': [1, { '~': 2 }], '/': 3 }, list: [[[0, 1]], [1], [[[1]]]], '*': 1 })
      return {
        seeds: ['', '/a//1/~0', '/list/0/0/1', '/*', '/list/*/0', '/a/~1'],
        try: (input) => {
          const pointer = parsePointer(input)
          if (pointer === undefined) return
          const again = pointer
            .map((token) => `/${token.replaceAll('~', '~0').replaceAll('/', '~1')}`)
            .join('')
          same(again, input, 'Not the pointer that was read')
          select(document(), pointer)
          omit(document(), [pointer])
        },
      }
    },
  },
  pattern: {
    files: /src\/core\/judging\/pattern\.ts$|re2js\/.*\.js$/,
    plant: {
      file: /pattern\.ts$/,
      find: 'if (compiled.programSize() > MAX_PROGRAM)',
      replace: `if (compiled.programSize() === 61) ${PLANTED}; if (compiled.programSize() > MAX_PROGRAM)`,
    },
    open: async () => {
      const { compilePattern, PatternError } = await import('../../../src/core/judging/pattern.ts')
      return {
        seeds: ['^Item [0-9]+$', '(a|b)*c{2,5}', '(?i)\\bprice\\b', '[^\\d\\s]+?', '\\p{Greek}', '(?P<n>.)'],
        try: (input) => {
          try {
            const pattern = compilePattern(input)
            for (const text of ['', 'Item 18', 'a\nb', input]) pattern.test(text)
          } catch (error) {
            only(error, PatternError)
          }
        },
      }
    },
  },
  otlp: {
    files: /src\/otlp\/(protobuf|spans|names)\.ts$/,
    plant: {
      file: /protobuf\.ts$/,
      find: '  return {\n    ...{ traceId: hex(traceId)',
      replace: `  if (kind === 3 && attributes.length === 2) ${PLANTED}\n  return {\n    ...{ traceId: hex(traceId)`,
    },
    open: async () => {
      const { readProtobuf } = await import('../../../src/otlp/protobuf.ts')
      const { Gathering } = await import('../../../src/otlp/spans.ts')
      const { Problem } = await import('../../../src/errors.ts')
      const { requestOf } = await import('../../otlp/receiver.ts')
      const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')
      return {
        forms: ['protobuf'] as const,
        seeds: [
          requestOf([
            { spanId: 'b2'.repeat(8), kind: 'client', attributes: { 'http.request.method': 'GET' } },
          ]),
          requestOf([{ spanId: 'c3'.repeat(8), parent: 'b2'.repeat(8), kind: 'server', isError: true }]),
        ].map(latin1),
        try: (input) => {
          try {
            for (const _ of readProtobuf(Buffer.from(input, 'latin1'), new Gathering()));
          } catch (error) {
            // The decoder's own refusals are errors of no class in particular.
            if (!/\n\s+at [^\n]*@bufbuild/.test(firstFrames(error as Error))) only(error, Problem)
          }
        },
      }
    },
  },
  csv: {
    files: /src\/transfer\/csv\.ts$|csv-parse\/lib\/.*\.js$/,
    plant: {
      file: /csv\.ts$/,
      find: 'countedTwice += countOf(/\\r\\n/g, cells)',
      replace: `countedTwice += countOf(/\\r\\n/g, cells); if (countedTwice === 2 && columns?.length === 3) ${PLANTED}`,
    },
    open: async () => {
      const { csvLines } = await import('../../../src/transfer/csv.ts')
      const { Problem } = await import('../../../src/errors.ts')
      return {
        seeds: [
          'url,kind,name\nhttps://a.test/,poll,"A, b"\n',
          'url;tags;intervalMs\r\nhttps://a.test/;x;1000\r\n',
          'url\theader:Accept\nhttps://a.test/\t"two\r\nlines"\n',
          'id,url,body\n,"https://b.test/",\'=1+1\n',
        ],
        try: async (input) => {
          try {
            for await (const { line } of csvLines(input)) same(line >= 2, true, 'A line before the second')
          } catch (error) {
            only(error, Problem)
          }
        },
      }
    },
  },
  openapi: {
    files: /src\/transfer\/(openapi\/\w+|lines)\.ts$/,
    plant: {
      file: /operations\.ts$/,
      find: 'const secrets = lacking(context, operation)',
      replace: `const secrets = lacking(context, operation); if (servers.urls.length === 2 && parameters.length === 5) ${PLANTED}`,
    },
    open: async () => {
      const { readImportLines } = await import('../../../src/transfer/lines.ts')
      const { Problem } = await import('../../../src/errors.ts')
      const { BOOKSHOP } = await import('../../transfer/bookshop.ts')
      const options = { headers: {}, params: new Map<string, string>() }
      return {
        seeds: [BOOKSHOP, JSON.stringify(Bun.YAML.parse(BOOKSHOP))],
        try: async (input) => {
          try {
            for await (const _ of await readImportLines(input, 'openapi', options));
          } catch (error) {
            only(error, Problem)
          }
        },
      }
    },
  },
  proxy: {
    files: /src\/proxy\/target\.ts$/,
    plant: {
      file: /target\.ts$/,
      find: 'const all = [',
      replace: `if (parts.length === 3 && theirs.length === 2) ${PLANTED}\n  const all = [`,
    },
    open: async () => {
      const { readAsked, tokenOf } = await import('../../../src/proxy/target.ts')
      const { Problem } = await import('../../../src/errors.ts')
      return {
        seeds: [
          '/proxy/https://a.test/x?intervalMs=500&q=1&mode=event',
          '/proxy/https%3A%2F%2Fa.test%2Fx%3Fa%3D1%26X-Sd-Token%3Dt?b=2',
          '/https://a.test/?X-Sd-Header=Accept%3A%20x',
        ],
        try: (input) => {
          if (!URL.canParse(`http://weir.test${input}`)) return
          const url = `http://weir.test${input}`
          try {
            tokenOf(new URL(url))
            const read = readAsked({ url, headers: new Headers() })
            same(Number.isSafeInteger(read.intervalMs), true, 'Not an interval')
          } catch (error) {
            only(error, Problem)
          }
        },
      }
    },
  },
  mermaid: {
    files: /src\/core\/(graph|color)\.ts$/,
    plant: {
      file: /graph\.ts$/,
      find: 'return `_${id.replace(',
      replace: `if (id in Object.prototype && id.length > 12) ${PLANTED}\n  return \`_\${id.replace(`,
    },
    open: async () => {
      const { mermaidText } = await import('../../../src/core/graph.ts')
      return {
        seeds: ['web\ncart\norder', 'end\nclass\nv\nconstructor', 'a"];b\n<script>\nﬂ°38¶ß', '_a\n-->\n|x|'],
        try: (input) => {
          const names = [...new Set(input.split('\n').filter(Boolean))]
          const services = names.map((name) => ({
            ...{ id: name, name, kind: 'service' as const, color: '#ffffff', reportedAt: '' },
          }))
          const calls = names.map((from, at) => ({ from, to: names[at - 1] ?? from, count: 1, errors: 0 }))
          const lines = mermaidText({ services, calls }).split('\n')
          same(lines.length, 1 + calls.length + 3 * services.length, 'Lines that a name made')
          for (const line of lines) {
            if (!MERMAID_LINE.test(line))
              throw new Error(`Not a line of the picture: ${JSON.stringify(line)}`)
          }
        },
      }
    },
  },
  yaml: {
    files: /src\/sim\/graph\/[\w-]+\.ts$/,
    plant: {
      file: /graph-file\.ts$/,
      find: 'const ordered = checkGraph(',
      replace: `if (base > 0 && specs.length === 3 && traffic.length === 1) ${PLANTED}\n  const ordered = checkGraph(`,
    },
    open: async () => {
      const { readGraph } = await import('../../../src/sim/graph/graph-file.ts')
      return {
        seeds: [
          'services: [{name: a, calls: [b]}, {name: b}]\n',
          'portBase: 5100\nservices:\n  - name: web\n    latencyMs: { p50: 5, p90: 12, p99: 40 }\n    calls:\n      - parallel: [a]\n  - name: a\ntraffic:\n  - { to: web, perMinute: 60 }\n',
        ],
        try: (input) => {
          readGraph(input)
        },
      }
    },
  },
  ...UPSTREAM_PARSERS,
  ...IMPORT_PARSERS,
} satisfies Record<string, FuzzedParser>

export type ParserName = keyof typeof PARSERS

/** The faults that can be planted in a parser. */
export function plantsOf(name: ParserName): Plant[] {
  return [PARSERS[name].plant, ...(MORE_PLANTS[name] ?? [])]
}

const MERMAID_LINE =
  /^(flowchart LR| {4}\w+ --> \w+| {4}\w+\["(\w|#\d+;|\P{ASCII})*"\]:::custom_\w+|classDef custom_\w+ [a-z-]+:#[0-9a-f]{3,6}(,stroke:#333,stroke-width:2)?;)$/u

function firstFrames({ stack = '' }: Error): string {
  return stack.split('\n').slice(0, 3).join('\n')
}
