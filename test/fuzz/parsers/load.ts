import { plugin } from 'bun'
import { type Comparisons, watchComparisons } from './compare.ts'
import { instrument } from './instrument.ts'

/** Counters of all instrumented modules. */
const MAX_BRANCHES = 65_536

/** A change of a parser's source, to see whether the fuzzer finds what it breaks. */
export interface Plant {
  file: RegExp
  find: string
  replace: string
}

export interface Instruments {
  /** How often each branch was taken since the last clearing; counts wrap at 256. */
  readonly taken: Uint8Array
  comparisons: Comparisons
  clear(): void
  /** Literals of the modules that were imported so far. */
  words: Set<string>
  numbers: Set<number>
}

/**
 * From now on, matching modules are instrumented when they are first imported. Once per process: a module that was
 * imported before isn't.
 */
export function instrumentImports(files: RegExp, plant?: Plant): Instruments {
  const branches = new Uint8Array(MAX_BRANCHES)
  const { compare, ...comparisons } = watchComparisons()
  Object.assign(globalThis, { __branches: branches, __compare: compare })
  let next = 0
  let nextComparison = 0
  const instruments: Instruments = {
    words: new Set(),
    numbers: new Set(),
    get taken() {
      return branches.subarray(0, next)
    },
    comparisons,
    clear() {
      branches.fill(0, 0, next)
      comparisons.near.clear()
    },
  }
  const transpiler = new Bun.Transpiler({ loader: 'ts', target: 'bun' })
  plugin({
    name: 'branches',
    setup(build) {
      build.onLoad({ filter: files }, async ({ path }) => {
        const source = planted(await Bun.file(path).text(), path, plant)
        const plain = transpiler.transformSync(source)
        const { code, words, numbers, ...counts } = instrument(plain, next, nextComparison)
        next += counts.branches
        nextComparison += counts.comparisons
        for (const word of words) instruments.words.add(word)
        for (const number of numbers) instruments.numbers.add(number)
        return { contents: code, loader: 'js' }
      })
    },
  })
  return instruments
}

function planted(source: string, path: string, plant: Plant | undefined): string {
  if (plant === undefined || !plant.file.test(path)) return source
  if (source.split(plant.find).length !== 2)
    throw new Error(`${path}: ${plant.find} isn't there exactly once`)
  return source.replace(plant.find, () => plant.replace)
}
