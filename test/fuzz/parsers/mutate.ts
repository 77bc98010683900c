import type { Random } from '../../../src/sim/random.ts'
import { type Choice, choiceOf, type Material } from './structures/choice.ts'
import { changedJson } from './structures/json.ts'
import { changedProtobuf } from './structures/protobuf.ts'
import { changedTokens } from './structures/tokens.ts'

/** Longest input, in UTF-16 units. */
const MAX_CHARS = 20_000
/** Numbers beyond this aren't tried as lengths. */
const MAX_LENGTH = 10_000
const ODD_CHARS = [
  '\0',
  '\n',
  '\r',
  '\r\n',
  '\t',
  ' ',
  '"',
  "'",
  '\\',
  '\uFEFF',
  '\uD800',
  'é',
  '💥',
  '~',
  '%',
  '#',
]
const ODD_NUMBERS = [
  '0',
  '-0',
  '-1',
  '1e400',
  '1e-400',
  '9007199254740993',
  '0.1',
  '00',
  '+1',
  'NaN',
  '1_0',
  '0x1',
]

/** The structures that an input may have. */
export type Forms = readonly Form[]
type Form = keyof typeof CHANGES
/** Another input with its structure intact; undefined if the input hasn't that structure. */
type Change = (text: string, other: string, choice: Choice) => string | undefined
const CHANGES = {
  json: changedJson,
  protobuf: changedProtobuf,
  tokens: changedTokens,
} satisfies Record<string, Change>
/** Share of changes that keep the structure. */
const STRUCTURED_SHARE = 0.6

/**
 * Another input: one of the pool, changed in a few places, with parts of others, words and numbers of the parser; by its
 * structure, or by its characters.
 */
export function mutated(
  pool: readonly string[],
  material: Material,
  random: Random,
  forms: Forms = ['json', 'tokens'],
): string {
  const { numbers } = material
  const choice = choiceOf(random, material)
  const { below, pick } = choice
  let text = chosen(pool, choice, random)
  const isStructured = random() < STRUCTURED_SHARE
  for (let changes = 1 + below(2 ** below(4)); changes > 0; changes--)
    text = (isStructured ? structured(text) : undefined) ?? change(text)
  return text.slice(0, MAX_CHARS)

  function structured(text: string): string | undefined {
    return CHANGES[pick(forms) ?? 'tokens'](text, pick(pool) ?? '', choice)
  }

  function change(text: string): string {
    const at = below(text.length + 1)
    const to = Math.min(text.length, at + 1 + below(2 ** below(7)))
    const [before, part, after] = [text.slice(0, at), text.slice(at, to), text.slice(to)]
    switch (below(10)) {
      case 0:
        return before + after
      case 1:
        return before + String.fromCharCode(below(256)) + text.slice(at + 1)
      case 2:
        return before + (pick(ODD_CHARS) ?? '') + text.slice(at)
      case 3:
      case 4:
        return before + choice.word() + text.slice(at)
      case 5:
        return before + choice.word() + after
      case 6:
        return before + (random() < 0.5 ? (pick(ODD_NUMBERS) ?? '') : String(number())) + text.slice(at)
      case 7:
        return before + (part || 'a').repeat(length(part.length || 1)) + after
      case 8:
        return before + part + part + after
      default:
        return before + slice(pick(pool) ?? '') + text.slice(at)
    }
  }

  /** A number of the parser, or one beside it. */
  function number(): number {
    return (pick(numbers) ?? below(256)) + below(3) - 1
  }

  /** How often a part is repeated to be about as long as a number of the parser. */
  function length(chars: number): number {
    const wanted = random() < 0.5 ? number() : 2 ** below(12)
    return Math.max(1, Math.min(MAX_LENGTH, Math.ceil(Math.abs(wanted) / chars)))
  }

  function slice(text: string): string {
    const from = below(text.length)
    return text.slice(from, from + 1 + below(64))
  }
}

/**
 * An input to change. New ones reach further, so they are chosen more often; short ones are tried faster and most of their
 * parts matter, so of two the shorter is taken more often.
 */
function chosen(pool: readonly string[], { below, pick }: Choice, random: Random): string {
  const newer = pool[pool.length - 1 - Math.floor(random() ** 2 * pool.length)] ?? ''
  const any = pick(pool) ?? ''
  return below(2) === 0 || newer.length <= any.length ? newer : any
}
