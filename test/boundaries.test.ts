import { expect, test } from 'bun:test'
import { basename, dirname, join } from 'node:path'

/**
 * Who may import whom. A file is under every rule whose `of` it matches; only the composition roots, `src/weir.ts`
 * with its `src/context.ts`, `src/parts.ts` and `src/serve.ts`, and `src/main.ts`, are under none but the last.
 */
interface Rule {
  of: RegExp
  /** All that it may import, packages aside. */
  only?: RegExp
  never?: RegExp
}

const RULES: readonly Rule[] = [
  { of: /^drizzle\//, only: /^src\/core\/sets\// },
  { of: /^views\//, only: /^(views|src\/core)\// },
  { of: /^views\/[^/]+\/client\//, only: /^(views\/[^/]+\/client|src\/core\/sets)\// },
  { of: /^src\/core\//, only: /^src\/core\// },
  // Plain data that the schema and browsers read as well.
  { of: /^src\/core\/sets\//, only: /^src\/core\/sets\// },
  { of: /^src\/sim\/(?!main\.ts$)/, only: /^src\/(sim\/|core\/sse\.ts$)/ },
  { of: /^src\/sim\/main\.ts$/, only: /^src\/(sim\/|(environment|running)\.ts$)/ },
  { of: /^src\/client\//, only: /^src\/client\// },
  { of: /^src\/cli\/(?!main\.ts$)/, only: /^src\/(cli|client|core)\// },
  // Restoring a backup, and the checks of `doctor`, need no running Weir; `bench` uses Weir's own fan-out.
  {
    of: /^src\/cli\/main\.ts$/,
    only: /^src\/(cli\/|config\/|(environment|files|running)\.ts$|net\/(direct|proxies)\.ts$|(backup|doctor|hub)\/|storage\/storage\.ts$)/,
  },
  { of: /^(?!src\/(cli|client|executable)\/|test\/|bench\/)/, never: /^src\/(cli|client)\// },
  { of: /^src\/config\//, only: /^src\/(config\/|environment\.ts$)/ },
  { of: /^src\/(environment|errors|topics)\.ts$/, only: /^$/ },
  { of: /^src\/schema\.ts$/, only: /^src\/(core\/|errors\.ts$)/ },
  // Everything may publish a change, so the bus imports nothing.
  { of: /^src\/bus\//, only: /^src\/(bus\/|errors\.ts$)/ },
  // The domain and what it stands on: all folders of src/ that no other rule names.
  {
    of: /^src\/(?!cli\/|client\/|core\/|executable\/|routes\/|sim\/)[^/]+\//,
    never: /^(src\/(routes|sim)\/|views\/|jobs\/|src\/app\.ts$)/,
  },
  {
    of: /^src\/(routes\/|app\.ts$)/,
    never: /^(jobs\/|src\/sim\/|src\/storage\/(server\/|(embedded|postgres|pglite)\.ts$))/,
  },
  { of: /^jobs\//, never: /^(src\/(routes|sim)\/|views\/|src\/app\.ts$)/ },
  {
    of: /^(?!src\/(weir|main|executable\/main)\.ts$|test\/|bench\/)/,
    never: /^src\/(weir|context|parts|serve|main|sim\/main)\.ts$/,
  },
  { of: /^(?!test\/|bench\/)/, never: /^(test|bench)\// },
]

const ROOT = join(import.meta.dir, '..')
const FOLDERS = ['src', 'views', 'jobs', 'drizzle', 'test', 'bench']
/** Files of the program: what tests and benches do is their own affair. */
const PROGRAM = /^(src|views|jobs|drizzle)\//
const ENVIRONMENT = 'src/environment.ts'
const READS_ENVIRONMENT =
  /\b(process|Bun|import\s*\.\s*meta)\s*(\.\s*env\b|\[\s*['"`]env['"`])|\benv\b.* from '(node:)?process'|\benv\b[^{}]*\}\s*=\s*(process|Bun)\b/
const MODULE_VARIABLE = /^(export )?(let|var)\b/
const MAIN = /(^|\/)main\.ts$/

const transpilers = { ts: new Bun.Transpiler({ loader: 'ts' }), tsx: new Bun.Transpiler({ loader: 'tsx' }) }

/** Whether the rules let one file import the other; both are paths from the root. */
function isAllowed(file: string, imported: string): boolean {
  return RULES.every(
    ({ of, only, never }) =>
      !of.test(file) || ((only?.test(imported) ?? true) && !(never?.test(imported) ?? false)),
  )
}

/** Paths of what a file imports from this repository; types left out, for they are gone when it runs. */
function importsOf(file: string, code: string): string[] {
  return transpilers[file.endsWith('.tsx') ? 'tsx' : 'ts']
    .scanImports(code)
    .filter(({ path }) => path.startsWith('.') || path.startsWith('/'))
    .map(({ path }) => join(dirname(file), path))
}

async function sources(): Promise<Map<string, string>> {
  const files = [...new Bun.Glob(`{${FOLDERS.join(',')}}/**/*.{ts,tsx}`).scanSync(ROOT)].sort()
  const texts = await Promise.all(files.map((file) => Bun.file(join(ROOT, file)).text()))
  return new Map(files.map((file, index) => [file, texts[index] as string]))
}

/** Lines of the program's files, `main.ts` files aside, that match. */
async function linesThat(match: RegExp): Promise<string[]> {
  return [...(await sources())]
    .filter(([file]) => PROGRAM.test(file) && !MAIN.test(file))
    .flatMap(([file, code]) => code.split('\n').map((line, index) => ({ at: `${file}:${index + 1}`, line })))
    .filter(({ line }) => match.test(line))
    .map(({ at, line }) => `${at}: ${line.trim()}`)
}

test('every file imports only what its folder may import', async () => {
  const offences: string[] = []
  let imports = 0
  for (const [file, code] of await sources()) {
    for (const imported of importsOf(file, code)) {
      imports++
      if (!isAllowed(file, imported)) offences.push(`${file} must not import ${imported}`)
    }
  }
  expect(offences).toEqual([])
  expect(imports).toBeGreaterThan(100)
})

/** Types included: whoever knows a type of BullMQ knows BullMQ. */
const IMPORTS_BULLMQ = /(from |import\(|import )['"](bullmq|@bull-board\/)/

test('only src/queue and jobs know BullMQ and its board', async () => {
  const knowing = [...(await sources())]
    .filter(([file, code]) => PROGRAM.test(file) && IMPORTS_BULLMQ.test(code))
    .map(([file]) => file)
  expect(knowing.filter((file) => !/^(src\/queue|jobs)\//.test(file))).toEqual([])
  expect(knowing.length).toBeGreaterThan(5)
})

/** These stream what they read or write, run before there is anybody else, or handle what is busy themselves. */
const OWN_TRANSACTIONS = /^src\/(storage|backup)\/|^src\/streams\/registry\/streams\.ts:/

test('transactions are run again after a deadlock', async () => {
  const own = await linesThat(/\.transaction\(/)
  expect(own.filter((line) => !OWN_TRANSACTIONS.test(line))).toEqual([])
  expect(own.filter((line) => line.startsWith('src/streams/'))).toHaveLength(1)
})

test('every import from this repository exists', async () => {
  const missing: string[] = []
  for (const [file, code] of await sources()) {
    for (const imported of importsOf(file, code)) {
      if (!(await Bun.file(join(ROOT, imported)).exists())) missing.push(`${file} imports ${imported}`)
    }
  }
  expect(missing).toEqual([])
})

test.each([
  ['drizzle/schema.ts', 'src/core/judging/status.ts'],
  ['drizzle/schema.ts', 'drizzle/config.ts'],
  ['views/stream/stream.tsx', 'src/errors.ts'],
  ['views/topology/client/topology.ts', 'views/layout/format.tsx'],
  ['src/core/graph.ts', 'src/errors.ts'],
  ['src/core/sets/statuses.ts', 'src/core/units.ts'],
  ['views/topology/client/topology.ts', 'src/core/units.ts'],
  ['src/sim/world.ts', 'src/core/judging/status.ts'],
  ['src/sim/world.ts', 'src/environment.ts'],
  ['src/environment.ts', 'src/config/config.ts'],
  ['src/config/config.ts', 'src/core/judging/status.ts'],
  ['src/client/client.ts', 'src/app.ts'],
  ['src/cli/run.ts', 'src/streams/recording/entry.ts'],
  ['src/cli/print.ts', 'views/layout/format.tsx'],
  ['src/streams/ingest/run.ts', 'src/client/client.ts'],
  ['src/streams/ingest/run.ts', 'src/routes/http/html.ts'],
  ['src/topology/topology.ts', 'views/topology/topology.tsx'],
  ['src/bus/bus.ts', 'src/relay/carry.ts'],
  ['src/relay/carry.ts', 'src/routes/live/refresh.ts'],
  ['src/channels/channels.ts', 'src/context.ts'],
  ['src/hub/hub.ts', 'jobs/workers.ts'],
  ['src/storage/open.ts', 'src/app.ts'],
  ['src/queue/open.ts', 'src/sim/start.ts'],
  ['src/a-new-folder/file.ts', 'jobs/workers.ts'],
  ['src/routes/streams/streams.ts', 'jobs/stream.ts'],
  ['src/routes/streams/streams.ts', 'src/sim/start.ts'],
  ['src/routes/streams/streams.ts', 'src/storage/embedded.ts'],
  ['src/app.ts', 'src/storage/postgres.ts'],
  ['jobs/stream.ts', 'src/routes/http/html.ts'],
  ['jobs/stream.ts', 'views/layout/format.tsx'],
  ['src/app.ts', 'src/weir.ts'],
  ['jobs/workers.ts', 'src/main.ts'],
  ['src/weir.ts', 'test/support/until.ts'],
  ['views/stream/stream.tsx', 'bench/run.ts'],
])('%s must not import %s', (file, imported) => {
  expect(isAllowed(file, imported)).toBe(false)
})

test.each([
  ['src/channels/channels.ts', 'src/bus/bus.ts'],
  ['src/relay/carry.ts', 'src/bus/bus.ts'],
  ['src/weir.ts', 'jobs/workers.ts'],
  ['src/main.ts', 'src/weir.ts'],
  ['src/sim/service/events.ts', 'src/core/sse.ts'],
  ['src/cli/run.ts', 'src/client/client.ts'],
  ['src/cli/entry-line.ts', 'src/core/units.ts'],
  ['views/stream/stream.tsx', 'src/core/judging/status.ts'],
  ['src/streams/registry/streams.ts', 'drizzle/schema.ts'],
  ['drizzle/schema.ts', 'src/core/sets/statuses.ts'],
  ['views/topology/client/words.ts', 'src/core/sets/statuses.ts'],
  ['src/storage/open.ts', 'src/storage/embedded.ts'],
  ['src/routes/streams/console.tsx', 'views/stream/stream.tsx'],
  ['jobs/stream.ts', 'src/streams/ingest/holder.ts'],
  ['test/support/weir.ts', 'src/weir.ts'],
  ['bench/run.ts', 'test/support/until.ts'],
])('%s may import %s', (file, imported) => {
  expect(isAllowed(file, imported)).toBe(true)
})

test('imports are recognized in every form, and types are ignored', () => {
  const code = `
    import { a } from './a.ts'
    import type { B } from './b.ts'
    import { type C } from './c.ts'
    export { d } from '../d.ts'
    import './e.ts'
    import g from 'package'
    export const used: [B, C] = [a, await import('./f.ts'), g]`
  const seen = ['src/d.ts', 'src/x/a.ts', 'src/x/e.ts', 'src/x/f.ts']
  expect(importsOf('src/x/file.ts', code).sort()).toEqual(seen)
  expect(importsOf('src/x/file.tsx', `${code}\nexport const page = <p>text</p>`).sort()).toEqual(seen)
})

test('only one file reads the environment', async () => {
  const readers = [...(await sources())]
    .filter(([, code]) => READS_ENVIRONMENT.test(code))
    .map(([file]) => file)
  expect(readers.filter((file) => PROGRAM.test(file))).toEqual([ENVIRONMENT])
})

test.each([
  ['const { HTTP_PROXY } = process.env', true],
  ['const port = process . env . PORT', true],
  ["const all = process['env']", true],
  ['const { env } = process', true],
  ['const { argv, env: all } = process', true],
  ['Bun.env.PORT', true],
  ['import.meta.env', true],
  ["import { env } from 'node:process'", true],
  ["import { argv, env as all } from 'process'", true],
  ['const { argv } = process', false],
  ['takeEnvironment().PORT', false],
  ['const env = config', false],
])('%s reads the environment: %p', (code, isRead) => {
  expect(READS_ENVIRONMENT.test(code)).toBe(isRead)
})

test('a program that opens connections reads the environment first', async () => {
  const all = await sources()
  for (const file of ['src/main.ts', 'src/cli/main.ts', 'src/sim/main.ts', 'src/executable/main.ts']) {
    expect([file, all.get(file)]).toEqual([file, expect.stringContaining('takeEnvironment()')])
  }
})

test('only main.ts files have module-level variables', async () => {
  expect(await linesThat(MODULE_VARIABLE)).toEqual([])
  expect(
    ['let a = 1', 'export let a', 'var a', '  let a', 'letter()'].map((line) => MODULE_VARIABLE.test(line)),
  ).toEqual([true, true, true, false, false])
})

/** Beyond it, whoever looks for something reads names for longer than they should. */
const MAX_FILES = 20

test('every folder has a README and a limited size', async () => {
  const files = [...(await sources()).keys()].filter((file) => PROGRAM.test(file))
  const folders = Map.groupBy(files, dirname)
  const large = [...folders].filter(([, inside]) => inside.length > MAX_FILES).map(([folder]) => folder)
  expect(large).toEqual([])
  // The scripts of a page belong to the folder of its views.
  const rooms = [...folders.keys()].filter((folder) => folder !== 'src' && !folder.includes('/client'))
  const silent: string[] = []
  for (const room of rooms) {
    const [title, , text] = (
      await Bun.file(join(ROOT, room, 'README.md'))
        .text()
        .catch(() => '')
    ).split('\n')
    if (title !== `# ${basename(room)}` || !text) silent.push(room)
  }
  expect(silent).toEqual([])
  expect(rooms.length).toBeGreaterThan(50)
})
