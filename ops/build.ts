import { lstatSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { packageHome, ROOT } from '../src/files.ts'
import { ARCHIVE, PACKAGE } from '../src/storage/server/programs.ts'

/** The entry point of the executable, and of the worker threads that it starts. */
const ENTRIES = ['src/executable/main.ts', 'src/streams/large/worker.ts']
const OUT = process.argv[2] ?? 'dist/weir'

/** Files that Weir reads at run time, as patterns below a directory: pages, scripts, the schema, and files of packages. */
const CARRIED: readonly (readonly [home: string, ...patterns: string[]])[] = [
  [
    ROOT,
    'views/**/*.{css,svg}',
    'views/*/client/**/*.ts',
    'src/core/sets/statuses.ts',
    'drizzle/migrations/*.sql',
    'drizzle/migrations/meta/_journal.json',
    ARCHIVE,
  ],
  [packageHome('htmx.org'), 'package.json', 'dist/htmx.min.js', 'dist/ext/hx-sse.min.js'],
  [packageHome('uplot'), 'package.json', 'dist/uPlot.iife.min.js', 'dist/uPlot.min.css'],
  [packageHome('elkjs', packageHome('mermaid')), 'package.json', 'lib/elk-worker.min.js'],
  [packageHome('mermaid'), 'package.json', 'dist/*.min.mjs', 'dist/chunks/mermaid.esm.min/*.mjs'],
  [packageHome('@electric-sql/pglite'), 'dist/pglite.data', 'dist/pglite.wasm'],
  [packageHome('@bull-board/ui'), 'package.json', 'dist/**/*'],
]

/** The files of the database server that go into the archive. Links are left out and created again at start. */
const SERVER = [
  'native/pg-symlinks.json',
  'native/bin/*',
  'native/lib/**/*.{so,so.*,dylib}',
  'native/share/**/*',
]

await packServer(join(ROOT, ARCHIVE))

const files = CARRIED.flatMap(([home, ...patterns]) => patterns.flatMap((pattern) => found(home, pattern)))

async function packServer(archive: string): Promise<void> {
  const home = packageHome(PACKAGE)
  const names = SERVER.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: home })])
  const own = names.filter((name) => !lstatSync(join(home, name)).isSymbolicLink())
  const contents = await Promise.all(
    own.sort().map(async (name) => [name, await Bun.file(join(home, name)).bytes()]),
  )
  await Bun.write(archive, await new Bun.Archive(Object.fromEntries(contents), { compress: 'gzip' }).bytes())
}

function found(home: string, pattern: string): string[] {
  const paths = [...new Bun.Glob(pattern).scanSync({ cwd: home })].sort()
  if (paths.length === 0) throw new Error(`There is no ${pattern} in ${home}.`)
  return paths.map((path) => join(home, path))
}

/** A module that imports every carried file, which puts it into the executable under its path here. */
const carrier: Bun.BunPlugin = {
  name: 'carried files',
  setup(build) {
    build.onResolve({ filter: /^carried-files$/ }, () => ({ path: 'carried-files', namespace: 'carried' }))
    // Under a path of its own (`…/./name`), because a file may also be a module of the program.
    build.onResolve({ filter: /^file-of:/ }, ({ path }) => {
      const file = path.slice('file-of:'.length)
      return { path: `${dirname(file)}/./${basename(file)}`, namespace: 'files' }
    })
    build.onLoad({ filter: /.*/, namespace: 'files' }, async ({ path }) => ({
      contents: await Bun.file(path).bytes(),
      loader: 'file',
    }))
    build.onLoad({ filter: /.*/, namespace: 'carried' }, () => ({
      contents: files
        .map((file, index) => `import file${index} from ${JSON.stringify(`file-of:${file}`)}`)
        // Used, so that tree shaking keeps all of them.
        .concat(`Object.freeze([${files.map((_, index) => `file${index}`).join(', ')}])`)
        .join('\n'),
      loader: 'js',
    }))
  },
}

const built = await Bun.build({
  entrypoints: ENTRIES.map((entry) => join(ROOT, entry)),
  root: ROOT,
  naming: { asset: '[dir]/[name].[ext]' },
  plugins: [carrier],
  target: 'bun',
  compile: {
    outfile: OUT,
    // Files in the working directory aren't Weir's: settings come from the environment.
    autoloadDotenv: false,
    autoloadBunfig: false,
  },
})
for (const log of built.logs) console.error(log)
const megabytes = (Bun.file(OUT).size / 1e6).toFixed(0)
console.log(`${relative(process.cwd(), OUT)}: ${files.length} files inside, ${megabytes} MB`)
