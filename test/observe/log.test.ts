import { expect, test } from 'bun:test'
import { parseConfig } from '../../src/config/config.ts'
import { secretsOf } from '../../src/config/in-force.ts'
import { inRequest } from '../../src/observe/context.ts'
import { createLog, type LogFormat, type LogLevel } from '../../src/observe/log.ts'

const SECRET = 'a "quoted" secret'

async function logOf(format: LogFormat, level: LogLevel = 'info') {
  const lines: string[] = []
  const add = (line: string) => void lines.push(line)
  const log = await createLog({ format, level, secrets: [SECRET], out: add, err: (line) => add(`! ${line}`) })
  return { log, lines, json: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) }
}

/** As Drizzle throws it: its message holds the values. */
function statementError(): Error {
  const cause = Object.assign(new Error('duplicate key'), { code: '23505' })
  return new Error('Failed query: insert into keys values ($1)\nparams: hunter2', { cause })
}

test('JSON lines have time, level, message and fields, and none are below the level', async () => {
  const { log, json } = await logOf('json')
  log.debug('not told')
  log.info('told', { status: 200, path: undefined })
  expect(json()).toEqual([
    { level: 'info', time: expect.any(String), pid: process.pid, msg: 'told', status: 200 },
  ])
  expect([log.writes('debug'), log.writes('info')]).toEqual([false, true])
})

test('everything caused by a request has its ID, later too', async () => {
  const { log, json } = await logOf('json')
  await inRequest({ requestId: 'r-1', route: undefined, span: undefined }, async () => {
    await Promise.resolve()
    log.warn('within')
  })
  log.warn('outside')
  expect(json().map(({ requestId }) => requestId)).toEqual(['r-1', undefined])
})

test.each(['json', 'text'] as const)(
  'an error is told with its stack and cause as %s, without values and secrets',
  async (format) => {
    const { log, lines } = await logOf(format)
    log.warn(`can't sign in with ${SECRET}`, statementError())
    const all = lines.join('')
    expect(all).toContain('a statement failed')
    expect(all).toContain('caused by Error: duplicate key')
    expect(all).toContain('log.test.ts')
    expect(all).toContain('sign in with …')
    expect(all).not.toContain('hunter2')
    expect(all).not.toContain('quoted')
  },
)

test('text is for people: errors go to stderr, with a prefix', async () => {
  const { log, lines } = await logOf('text', 'debug')
  log.info('Weir is listening on http://localhost:1')
  log.debug('GET /', { status: 200, caller: undefined })
  log.warn('odd')
  expect(lines).toEqual(['Weir is listening on http://localhost:1\n', 'GET / status=200\n', '! weir: odd\n'])
})

test('every secret setting is known as one', () => {
  const secrets = secretsOf(
    parseConfig({
      WEIR_TOKEN: 'a-long-random-token',
      DATABASE_URL: 'postgres://me:p%40ss@db/weir',
      REDIS_URL: 'redis://:hidden@cache:6379',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20collector-key,x=y1',
    }),
  )
  const wanted = ['a-long-random-token', 'p@ss', 'p%40ss', 'hidden', 'Bearer collector-key', 'y1']
  expect(wanted.filter((secret) => !secrets.includes(secret))).toEqual([])
})
