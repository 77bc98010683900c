import { parseArgs } from 'node:util'
import type { Bench, Context } from './lib/bench.ts'
import { sectionOf, writeSection } from './lib/results.ts'

/** In the order of the results; each is loaded on demand, because its packages may be missing. */
const BENCHES = {
  hold: () => import('./benches/hold.ts'),
  burst: () => import('./benches/burst.ts'),
  poll: () => import('./benches/poll.ts'),
  diff: () => import('./benches/diff.ts'),
  'fan-out': () => import('./benches/fan-out.ts'),
  store: () => import('./benches/store.ts'),
  takeover: () => import('./benches/takeover.ts'),
  pages: () => import('./benches/pages.ts'),
  soak: () => import('./benches/soak.ts'),
  start: () => import('./benches/start.ts'),
  idle: () => import('./benches/idle.ts'),
  lighthouse: () => import('./benches/lighthouse.ts'),
} satisfies Record<string, () => Promise<{ default: Bench }>>

const USAGE = `bun run bench [NAME ...] [--short] [--minutes N] [--seed N]

  NAME     one of: ${Object.keys(BENCHES).join(', ')}; default: all
  --short  a quick run of each, to check that it works; prints the results without writing them
  --minutes  duration of the soak (default: 30)
  --seed   seed for random choices (default: 1)
  --list   list the names
`

type Asked = Pick<Context, 'short' | 'minutes' | 'seed'>
type Name = keyof typeof BENCHES
const names = Object.keys(BENCHES) as Name[]
// Children have ended by now, but some of their pipes are still open.
process.exit(await main())

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      short: { type: 'boolean', default: false },
      minutes: { type: 'string', default: '30' },
      seed: { type: 'string', default: '1' },
      list: { type: 'boolean', default: false },
    },
  })
  if (values.list) {
    console.log(names.join('\n'))
    return 0
  }
  const unknown = positionals.filter((name) => !names.includes(name as Name))
  const [seed, minutes] = [Number(values.seed), Number(values.minutes)]
  if (unknown.length > 0 || !Number.isSafeInteger(seed) || !(minutes > 0)) {
    console.error(
      `Unknown: ${unknown.join(', ') || `--seed ${values.seed} --minutes ${values.minutes}`}\n\n${USAGE}`,
    )
    return 2
  }
  const commit = await commitOf()
  let failed = 0
  for (const name of names) {
    if (positionals.length > 0 && !positionals.includes(name)) continue
    failed += (await run(name, { short: values.short, minutes, seed }, commit)) ? 0 : 1
  }
  return failed === 0 ? 0 : 1
}

async function run(name: Name, { short, minutes, seed }: Asked, commit: string): Promise<boolean> {
  const startedAt = new Date()
  const log = (line: string) => console.error(`${name}: ${line}`)
  const scope = new AsyncDisposableStack()
  try {
    const { default: bench } = await BENCHES[name]()
    const report = await bench.run({ short, minutes, seed, log, scope })
    const text = sectionOf(name, bench, report, { commit, startedAt, seed })
    console.log(`${text}\n`)
    if (!short) writeSection(names, name, text)
    log(`took ${Math.round((Date.now() - startedAt.getTime()) / 1000)} s`)
    return true
  } catch (error) {
    console.error(error)
    log('failed')
    return false
  } finally {
    await scope.disposeAsync()
  }
}

/** The measured commit, with a `+` if files differ from it. */
async function commitOf(): Promise<string> {
  const git = async (...args: string[]) =>
    (
      await new Response(Bun.spawn(['git', ...args], { stdout: 'pipe', stderr: 'ignore' }).stdout).text()
    ).trim()
  const changed = await git('status', '--porcelain', '--untracked-files=no', '--', ':!bench/RESULTS.md')
  return `${(await git('rev-parse', '--short', 'HEAD')) || 'unknown'}${changed === '' ? '' : '+'}`
}
