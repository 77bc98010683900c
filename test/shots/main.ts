import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openBrowser } from '../support/browser.ts'
import { type Picture, SCHEMES, take } from './camera.ts'
import { picturesOf } from './pictures.ts'
import { startScene } from './scene.ts'

/** Takes the pictures of the console that README.md and docs/ show. */

const USAGE = `bun run shots [NAME ...] [--seed N] [--to DIRECTORY]

  NAME    only these, such as home or streams-phone
  --seed  of what the shop does, and of the weeks before (20261122)
  --to    where they are put (docs/shots)
`
const ROOT = join(import.meta.dir, '../..')

process.exitCode = await main()

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seed: { type: 'string', default: '20261122' },
      to: { type: 'string', default: join(ROOT, 'docs/shots') },
      help: { type: 'boolean' },
    },
  })
  const seed = Number(values.seed)
  if (values.help || !Number.isSafeInteger(seed)) {
    console.error(USAGE)
    return values.help ? 0 : 2
  }
  await using scope = new AsyncDisposableStack()
  const scene = await startScene(seed, scope)
  const browser = await openBrowser()
  scope.defer(() => browser.close())
  mkdirSync(values.to, { recursive: true })
  const isAsked = ({ name }: Picture) => positionals.length === 0 || positionals.includes(name)
  let bytes = 0
  for (const picture of picturesOf(scene).filter(isAsked)) {
    for (const scheme of SCHEMES) {
      const shot = await take(browser, scene.weir.url, picture, scheme)
      const file = `${picture.name}-${scheme}.webp`
      console.log(
        shot === undefined ? `${file}: there is no page ${picture.path}` : `${file}: ${kb(shot.length)}`,
      )
      if (shot === undefined) continue
      await Bun.write(join(values.to, file), shot)
      bytes += shot.length
    }
  }
  console.log(`together ${kb(bytes)}`)
  return 0
}

function kb(bytes: number): string {
  return `${(bytes / 1_024).toFixed(1)} KB`
}
