import { expect, test } from 'bun:test'
import { exploreApart, PARSER_NAMES } from './apart.ts'

const SEED = Number(process.env.WEIR_SEED ?? Math.floor(Math.random() * 2 ** 31))
console.log(`parsers: WEIR_SEED=${SEED}`)
/** Ends an exploration that hangs; those here end by their inputs. */
const SECONDS = 50
const INPUTS = 1_000

test.each(PARSER_NAMES)('no input of many crashes %s, nor any that ever did', async (parser) => {
  const { crash, inputs } = await exploreApart(parser, {
    seed: SEED,
    seconds: SECONDS,
    inputs: INPUTS,
  })
  expect(crash).toBeUndefined()
  expect(inputs).toBeGreaterThan(100)
})

// These find their fault within seconds; the others are tried by `bun run test:fuzz --parser all --plant`.
test.each(['pointer', 'pattern', 'mermaid', 'otlp'])(
  'a fault that is planted in %s is found',
  async (parser) => {
    const { crash } = await exploreApart(parser, { seed: SEED, seconds: SECONDS, plant: 0 })
    expect(crash?.error).toContain('planted')
  },
)
