/**
 * Regular expressions that take time in proportion to pattern × text, whatever they are: all the ways a text could
 * match are followed at once, and none is ever tried again. What would need that is left out of the language.
 *
 * Known: literals, `.`, `[a-z]`, `[^a-z]`, `\d \w \s` and their opposites, `^`, `$`, `( )`, `(?: )`, `|`, `* + ?`.
 * Not known: `{n,m}`, back-references, look-around, lazy quantifiers, flags. It finds a match anywhere in the text.
 *
 * @see https://swtch.com/~rsc/regexp/regexp1.html
 */
export interface Pattern {
  /** Whether it matches somewhere in the text; only the first {@link MAX_TEXT_CHARS} count. */
  test(text: string): boolean
}

/** In UTF-16 units. */
export const MAX_PATTERN_CHARS = 200
export const MAX_TEXT_CHARS = 10_000

/** What is wrong with a pattern, for people. */
export class PatternError extends Error {
  override readonly name = 'PatternError'
}

type Accepts = (char: string) => boolean
/** A step of the machine: takes a character, goes two ways, or stands at an edge of the text. */
type Instruction =
  | { op: 'char'; accepts: Accepts }
  | { op: 'split'; first: number; second: number }
  | { op: 'start' | 'end' | 'match' }
type Node =
  | { kind: 'char'; accepts: Accepts }
  | { kind: 'start' | 'end' }
  | { kind: 'all' | 'any'; nodes: Node[] }
  | { kind: 'repeat'; node: Node; min: 0 | 1; isEndless: boolean }

const CLASSES: Record<string, Accepts> = {
  d: (char) => char >= '0' && char <= '9',
  w: (char) => /^\w$/u.test(char),
  s: (char) => /^\s$/u.test(char),
}
const CONTROLS: Record<string, string> = { n: '\n', r: '\r', t: '\t' }
const SPECIAL = '^$\\.*+?()[]{}|/-'

/** @throws PatternError */
export function compilePattern(source: string): Pattern {
  if (source.length > MAX_PATTERN_CHARS)
    throw new PatternError(`It has more than ${MAX_PATTERN_CHARS} characters.`)
  const program: Instruction[] = []
  emit(new Parser(source).parse(), program)
  program.push({ op: 'match' })
  return { test: (text) => run(program, [...text.slice(0, MAX_TEXT_CHARS)]) }
}

class Parser {
  readonly #chars: readonly string[]
  #at = 0

  constructor(source: string) {
    this.#chars = [...source]
  }

  parse(): Node {
    const node = this.#alternatives()
    if (this.#at < this.#chars.length) throw new PatternError('It has a ")" too many.')
    return node
  }

  #alternatives(): Node {
    const nodes = [this.#sequence()]
    while (this.#takes('|')) nodes.push(this.#sequence())
    return { kind: 'any', nodes }
  }

  #sequence(): Node {
    const nodes: Node[] = []
    for (let char = this.#peek(); char !== undefined && char !== '|' && char !== ')'; char = this.#peek()) {
      nodes.push(this.#repeated(this.#atom()))
    }
    return { kind: 'all', nodes }
  }

  #repeated(node: Node): Node {
    const sign = this.#peek()
    if (sign !== '*' && sign !== '+' && sign !== '?') return node
    this.#at++
    if ('*+?'.includes(this.#peek() ?? ' ')) throw new PatternError('It repeats a repetition.')
    return { kind: 'repeat', node, min: sign === '+' ? 1 : 0, isEndless: sign !== '?' }
  }

  #atom(): Node {
    const char = this.#next()
    if (char === '^') return { kind: 'start' }
    if (char === '$') return { kind: 'end' }
    if (char === '.') return { kind: 'char', accepts: (other) => !/[\n\r\u2028\u2029]/.test(other) }
    if (char === '(') return this.#group()
    if (char === '[') return { kind: 'char', accepts: this.#set() }
    if (char === '\\') return { kind: 'char', accepts: this.#escape() }
    if ('*+?'.includes(char)) throw new PatternError(`It has a "${char}" with nothing before it to repeat.`)
    if ('{}]'.includes(char))
      throw new PatternError(`Write "\\${char}" for a "${char}"; {n,m} isn't known here.`)
    return { kind: 'char', accepts: (other) => other === char }
  }

  #group(): Node {
    if (this.#takes('?') && !this.#takes(':'))
      throw new PatternError("Look-around and named groups aren't known here.")
    const node = this.#alternatives()
    if (!this.#takes(')')) throw new PatternError('It has a "(" that is never closed.')
    return node
  }

  #set(): Accepts {
    const isNegated = this.#takes('^')
    const members: Accepts[] = []
    while (!this.#takes(']')) {
      const from = this.#member()
      if (typeof from === 'string' && this.#peek() === '-' && this.#chars[this.#at + 1] !== ']') {
        this.#at++
        members.push(range(from, this.#member()))
      } else {
        members.push(typeof from === 'string' ? (char) => char === from : from)
      }
    }
    return (char) => members.some((accepts) => accepts(char)) !== isNegated
  }

  #member(): string | Accepts {
    const char = this.#next('"["')
    return char === '\\' ? this.#escaped() : char
  }

  #escape(): Accepts {
    const escaped = this.#escaped()
    return typeof escaped === 'string' ? (char) => char === escaped : escaped
  }

  #escaped(): string | Accepts {
    const char = this.#next('"\\"')
    const named = CLASSES[char]
    if (named !== undefined) return named
    const opposite = CLASSES[char.toLowerCase()]
    if (opposite !== undefined) return (other) => !opposite(other)
    if (CONTROLS[char] !== undefined) return CONTROLS[char]
    if (SPECIAL.includes(char)) return char
    throw new PatternError(`"\\${char}" isn't known here.`)
  }

  #peek(): string | undefined {
    return this.#chars[this.#at]
  }

  #next(open = 'pattern'): string {
    const char = this.#chars[this.#at++]
    if (char === undefined) throw new PatternError(`It ends before the ${open} does.`)
    return char
  }

  #takes(char: string): boolean {
    if (this.#peek() !== char) return false
    this.#at++
    return true
  }
}

function range(from: string, to: string | Accepts): Accepts {
  if (typeof to !== 'string' || to < from) throw new PatternError('It has a range that runs backwards.')
  const [low, high] = [from.codePointAt(0) ?? 0, to.codePointAt(0) ?? 0]
  return (char) => (char.codePointAt(0) ?? 0) >= low && (char.codePointAt(0) ?? 0) <= high
}

function emit(node: Node, program: Instruction[]): void {
  switch (node.kind) {
    case 'char':
      program.push({ op: 'char', accepts: node.accepts })
      break
    case 'start':
    case 'end':
      program.push({ op: node.kind })
      break
    case 'all':
      for (const each of node.nodes) emit(each, program)
      break
    case 'any':
      emitAny(node.nodes, program)
      break
    case 'repeat':
      emitRepeat(node, program)
  }
}

function emitAny([head, ...rest]: readonly Node[], program: Instruction[]): void {
  if (head === undefined) return
  if (rest.length === 0) return void emit(head, program)
  const split = { op: 'split' as const, first: program.length + 1, second: 0 }
  program.push(split)
  emit(head, program)
  const jump = { op: 'split' as const, first: 0, second: 0 }
  program.push(jump)
  split.second = program.length
  emitAny(rest, program)
  jump.first = jump.second = program.length
}

function emitRepeat({ node, min, isEndless }: Node & { kind: 'repeat' }, program: Instruction[]): void {
  const start = program.length
  const split = { op: 'split' as const, first: start + 1, second: 0 }
  if (min === 0) program.push(split)
  emit(node, program)
  if (min === 1) program.push({ op: 'split', first: start, second: program.length + 1 })
  else if (isEndless) program.push({ op: 'split', first: start, second: start })
  split.second = program.length
}

/** Follows every way at once: at most one thread an instruction and character. */
function run(program: readonly Instruction[], chars: readonly string[]): boolean {
  let threads = new Set<number>()
  for (let at = 0; at <= chars.length; at++) {
    if (follow(program, 0, threads, at, chars.length)) return true
    const char = chars[at]
    if (char === undefined) return false
    const next = new Set<number>()
    for (const thread of threads) {
      const instruction = program[thread]
      if (instruction?.op !== 'char' || !instruction.accepts(char)) continue
      if (follow(program, thread + 1, next, at + 1, chars.length)) return true
    }
    threads = next
  }
  return false
}

/** Adds where a thread gets without a character. @returns whether that is a match */
function follow(
  program: readonly Instruction[],
  from: number,
  threads: Set<number>,
  at: number,
  end: number,
): boolean {
  const open = [from]
  for (let thread = open.pop(); thread !== undefined; thread = open.pop()) {
    if (threads.has(thread)) continue
    threads.add(thread)
    const instruction = program[thread]
    if (instruction?.op === 'match') return true
    if (instruction?.op === 'split') open.push(instruction.first, instruction.second)
    if (instruction?.op === 'start' && at === 0) open.push(thread + 1)
    if (instruction?.op === 'end' && at === end) open.push(thread + 1)
  }
  return false
}
