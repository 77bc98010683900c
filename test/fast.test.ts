import { expect, test } from 'bun:test'
import { dirname, join, relative } from 'node:path'
import { scripts } from '../package.json'

const ROOT = join(import.meta.dir, '..')
/** What starts a browser, a database or a whole Weir. */
const SLOW =
  /^(test\/support\/(browser|in-browser|setups|weir|process|console|data-dir|servers|shared\/client)\.ts|src\/(weir|main)\.ts|src\/storage\/(embedded|postgres)\.ts)$/

const transpilers = { ts: new Bun.Transpiler({ loader: 'ts' }), tsx: new Bun.Transpiler({ loader: 'tsx' }) }
/** The paths that `bun run test:fast` names: files, folders and a glob. */
const paths = scripts['test:fast'].split(' ').filter((word) => word.startsWith('test/'))

function testsAt(path: string): string[] {
  const glob = /\.ts$/.test(path) ? path : `${path}/**/*.test.ts`
  return [...new Bun.Glob(glob).scanSync(ROOT)]
}

/** A file and all that it imports from this repository, directly or not. */
async function closureOf(file: string, known = new Set<string>()): Promise<Set<string>> {
  if (known.has(file)) return known
  known.add(file)
  const code = await Bun.file(join(ROOT, file)).text()
  for (const { path } of transpilers[file.endsWith('.tsx') ? 'tsx' : 'ts'].scanImports(code)) {
    if (!/^\..*\.tsx?$/.test(path)) continue
    await closureOf(relative(ROOT, join(ROOT, dirname(file), path)), known)
  }
  return known
}

test.each(paths)('there are tests at %s', (path) => {
  expect(testsAt(path)).not.toEqual([])
})

test('no fast test starts a browser, a database or a whole Weir', async () => {
  const slow: string[] = []
  for (const file of new Set(paths.flatMap(testsAt))) {
    for (const imported of await closureOf(file)) if (SLOW.test(imported)) slow.push(`${file}: ${imported}`)
  }
  expect(slow).toEqual([])
  expect((await closureOf('test/streams/api.test.ts')).has('src/weir.ts')).toBe(true)
})
