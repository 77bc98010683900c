import type { Plant } from './load.ts'

/** What is planted at one place: where, and when it throws. */
type Fault = readonly [file: RegExp, before: string, condition: string]

/**
 * More faults for parsers, each before some statement of their code: shallow ones that a single field reaches, and deep
 * ones that need a valid input with several things of a certain kind.
 */
export const MORE_PLANTS: Readonly<Record<string, readonly Plant[]>> = Object.fromEntries(
  Object.entries({
    sse: [
      [/parse\.js$/, 'onRetry === null', "value === '4096'"],
      [/parse\.js$/, 'const field = line.slice(0, fieldSeparatorIndex)', "line.startsWith('event :')"],
      [/parse\.js$/, '// Field names must be compared', "field === 'id' && dataLines > 1"],
      [
        /parse\.js$/,
        'const firstCharCode = chunk.charCodeAt(start);',
        'dataLines === 5 && end - start === 4',
      ],
    ],
    json: [
      [/json\.ts$/, 'if (length === 0) return', "whole === '0' && fraction.length === 17"],
      [/json\.ts$/, 'let length = all.length', 'Number(exponent) === 308 && fraction.length > 2'],
      [/json\.ts$/, 'if (value.startsWith(NUMBER))', 'value.startsWith(STRING) && value.length === 5'],
      [/json\.ts$/, "if (typeof value === 'number') return", "_key === 'constructor' && value === 0"],
    ],
    pointer: [
      [/pointer\.ts$/, 'if (/~(?![01])/', "tokens.length === 4 && tokens.includes('')"],
      [/pointer\.ts$/, 'const keys = token', "token === '*' && depth === 2"],
      [/pointer\.ts$/, 'let kept = 0', 'indexes.size === 2'],
      [/pointer\.ts$/, 'value = (value as Record', "token === '~'"],
    ],
    pattern: [
      [/pattern\.ts$/, 'const compiled = compile(source)', 'source.length === 199'],
      [
        /pattern\.ts$/,
        'const reason = error.message',
        '/nested|repeat/.test(error.message) && source.length > 4',
      ],
      [/pattern\.ts$/, 'return { test: (text)', 'compiled.groupCount() === 4'],
      [
        /pattern\.ts$/,
        'return { test: (text)',
        "'n' in compiled.namedGroups() && compiled.groupCount() === 2",
      ],
    ],
    otlp: [
      [/spans\.ts$/, 'const group = fitName', "service.id === 'unknown_service' && resource.size > 0"],
      [/spans\.ts$/, 'if (SPAN_ID.test(parentSpanId))', 'span.isError && span.attributes.size > 0'],
      [/spans\.ts$/, 'this.spans.push(span)', 'this.spans.length === 2 && kind === 5'],
      [/spans\.ts$/, 'return durationMs <= MAX', 'durationMs > MAX_DURATION_MS && endNs > 2n ** 62n'],
    ],
    csv: [
      [/csv\.ts$/, 'if (record.length > columns.length)', 'record.length === columns.length + 3'],
      [/csv\.ts$/, 'const isHeader = column.startsWith', "index === 3 && column === 'tags'"],
      [/csv\.ts$/, 'const members = text(cell).split(separator)', "cell.split(';').length === 4"],
      [/csv\.ts$/, 'if (OBJECTS.has(column))', "column === 'tls' && word === 'null'"],
    ],
    openapi: [
      [/parameters\.ts$/, "if (style === 'label')", "style === 'label' && explode"],
      [
        /parameters\.ts$/,
        "if (style === 'deepObject') {",
        "style === 'deepObject' && Object.keys(value).length === 2",
      ],
      [/parameters\.ts$/, 'const item = schema.type', 'Array.isArray(schema.anyOf) && seen.size === 3'],
      [/servers\.ts$/, 'return { urls: [...urls], lacks }', 'urls.size === 3'],
    ],
    proxy: [
      [/target\.ts$/, 'if (/^\\d{1,12}$/.test(text))', "text === '500000'"],
      [/target\.ts$/, 'if (value === undefined) throw', "name === 'accept' && lines.length === 2"],
      [/target\.ts$/, 'const mode = MODES.find', "text === 'snapshot-only'"],
      [/target\.ts$/, 'const [base = ', "decoded.startsWith('HTTPS:')"],
    ],
    mermaid: [
      [/graph\.ts$/, 'return `_${id.replace(', "id.includes('__') && id.endsWith('_')"],
      [/graph\.ts$/, 'return `_${id.replace(', 'KEYWORDS.has(id) && id.length > 9'],
      [/graph\.ts$/, 'return name\n    .replace(', 'name.includes("\\u00b6\\u00df") && name.length === 5'],
      [/graph\.ts$/, 'if (PLAIN_ID.test(id)', "id === 'subgraph'"],
    ],
    yaml: [
      [/graph-file\.ts$/, 'const called = steps.flat()', 'steps.length === 2 && group !== undefined'],
      [/graph-file\.ts$/, 'const ordered = checkGraph(', 'specs.length === 4 && faults.length === 0'],
      [/graph-file\.ts$/, 'if (faults.length > 0) return { problems: sentences', 'faults.length === 5'],
      [
        /graph-file\.ts$/,
        'if (faults.length > 0) return { problems: sentences',
        'ordered.some(({ lab }) => lab.errorRate === 1)',
      ],
    ],
    har: [
      [/har\.ts$/, 'const same = seen.get(url)', 'seen.size === 2'],
      [/har\.ts$/, 'const same = seen.get(url)', 'status === 304'],
    ],
    postman: [
      [/postman\.ts$/, 'const named = nameFrom(item.name)', 'folder.folders.length === 3'],
      [
        /postman-auth\.ts$/,
        'if (hasHeader(given, header))',
        "auth.type === 'apikey' && said('in') === 'query'",
      ],
      [/postman-variables\.ts$/, 'this.#budget.text(filled.length)', 'hops === 3'],
    ],
    'uptime-kuma': [
      [/uptime-kuma\.ts$/, "const body = method === 'GET'", "method === 'PUT' && interval === 0"],
      [
        /uptime-kuma\.ts$/,
        'const isBasic =',
        "user === 'admin' || (authMethod === 'basic' && headers === null)",
      ],
    ],
    digest: [
      [/digest\.ts$/, 'if (realm === undefined', "session !== undefined && qop?.includes('auth-int')"],
      [/digest\.ts$/, 'return challenges.sort(', 'challenges.length === 3'],
    ],
    graphql: [[/follow-graphql\.ts$/, 'isAgreed = true', 'payload === null']],
    websocket: [
      [/frames\.ts$/, 'if (!isCloseCode(code))', 'data.byteLength === 1'],
      [/frames\.ts$/, 'const message = this.#fragmented ??', 'this.#fragmented?.payload.bytes === 6'],
    ],
    ndjson: [[/json-lines\.ts$/, 'this.#isSkipped = true', 'this.#nesting?.isClosed === false']],
  } satisfies Record<string, readonly Fault[]>).map(([parser, faults]) => [
    parser,
    (faults as readonly Fault[]).map(([file, find, condition]) => ({
      ...{ file, find },
      replace: `if (${condition}) throw new Error('planted');\n${find}`,
    })),
  ]),
)
