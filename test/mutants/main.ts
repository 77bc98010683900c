import { type Random, randomFor } from '../../src/sim/random.ts'
import { type Args, readArgs, USAGE } from './args.ts'
import { Copy } from './copy.ts'
import type { Mistake } from './mistake.ts'
import { MISTAKES } from './table/index.ts'

/** Makes mistakes in a copy of the code, one at a time, and says which of them the tests see. */
async function main(): Promise<number> {
  let args: Args
  try {
    args = readArgs(Bun.argv.slice(2))
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`)
    return 2
  }
  const chosen = choose(args)
  console.log(`${chosen.length} of ${MISTAKES.length} mistakes. Repeat with --seed ${args.seed}`)
  const waiting = [...chosen]
  const unseen: Mistake[] = []
  await Promise.all(Array.from({ length: args.jobs }, () => work(waiting, unseen)))
  const seen = chosen.length - unseen.length
  console.log(`${seen} of ${chosen.length} were seen (${((100 * seen) / chosen.length).toFixed(1)}%)`)
  for (const { name, file, hurts } of unseen) console.log(`NOT SEEN ${file}: ${name}. ${hurts}`)
  return unseen.length === 0 ? 0 : 1
}

function choose({ sample, seed, only }: Args): Mistake[] {
  const random = randomFor(seed, 'mutants')
  const matching = MISTAKES.filter(({ name, file, guard }) =>
    [name, file, guard].some((text) => text.includes(only)),
  )
  return shuffled(matching, random).slice(0, sample)
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}

/** Takes mistakes until none waits. */
async function work(waiting: Mistake[], unseen: Mistake[]): Promise<void> {
  const copy = await Copy.make()
  /** Test files that passed without a mistake: only those can see one. */
  const sound = new Set<string>()
  try {
    for (let mistake = waiting.shift(); mistake !== undefined; mistake = waiting.shift()) {
      await mustPass(copy, sound, mistake.tests)
      const from = performance.now()
      const { passed, said } = await copy.withMistake(mistake)
      if (passed) unseen.push(mistake)
      const seconds = ((performance.now() - from) / 1_000).toFixed(0)
      console.log(`${passed ? 'NOT SEEN' : 'seen'} ${mistake.file}: ${mistake.name} (${seconds} s; ${said})`)
    }
  } finally {
    await copy.remove()
  }
}

async function mustPass(copy: Copy, sound: Set<string>, tests: readonly string[]): Promise<void> {
  const untried = tests.filter((test) => !sound.has(test))
  if (untried.length === 0) return
  const { passed, said } = await copy.run(untried)
  if (!passed) throw new Error(`${untried.join(', ')} fails without any mistake: ${said}`)
  for (const test of untried) sound.add(test)
}

process.exit(await main())
