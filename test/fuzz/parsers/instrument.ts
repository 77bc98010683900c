import { type Node, parse } from 'acorn'
import { RESULT } from './compare.ts'

/** What a fuzzer learns from a module's code. */
export interface Instrumented {
  /** The module, counting each branch that it takes in `globalThis.__branches`. */
  code: string
  branches: number
  /** Comparisons that it reports to `globalThis.__compare`. */
  comparisons: number
  /** Its literals, which inputs are made of: a parser compares its input with them. */
  words: string[]
  numbers: number[]
}

interface Insert {
  at: number
  text: string
  order: number
  /** Characters of the code that it replaces. Default: 0. */
  skip?: number
}

type Any = Node & Record<string, unknown>

/**
 * Adds a counter to every branch of a module, as AFL does at the machine's level: a function, a loop, both arms of a
 * condition, the right side of a logical operator. Comparisons are reported with their operands.
 * @param first number of its first counter
 * @param firstComparison number of its first comparison
 * @see https://lcamtuf.coredump.cx/afl/technical_details.txt (section 1)
 */
export function instrument(code: string, first: number, firstComparison: number): Instrumented {
  const inserts: Insert[] = []
  const words = new Set<string>()
  const numbers = new Set<number>()
  let branches = 0
  let comparisons = 0
  const counter = () => `__branches[${first + branches++}]++`
  const insert = (at: number, text: string, order: number) => inserts.push({ at, text, order })
  /** Both operands are evaluated once, in their order, as before. */
  const report = ({ start, end, left, right, operator }: Any, depth: number) => {
    const [before, after] = [left as Any, right as Any]
    const at = (left as Any).end + code.slice(before.end, after.start).indexOf(operator as string)
    insert(start, `__compare(${firstComparison + comparisons++},(`, depth)
    inserts.push({ at, text: `),'${operator}',(`, order: 0, skip: (operator as string).length })
    insert(end, '))', -depth)
  }
  const around = (node: Any, before: string, after: string, depth: number) => {
    insert(node.start, before, depth)
    insert(node.end, after, -depth)
  }
  const count = (node: Any | null | undefined, depth: number) => {
    if (!node) return
    if (node.type === 'BlockStatement') insert(node.start + 1, `${counter()};`, depth)
    else if (node.type.endsWith('Statement')) around(node, `{${counter()};`, '}', depth)
    else around(node, `(${counter()},(`, '))', depth)
  }
  visit(parse(code, { ecmaVersion: 'latest', sourceType: 'module' }) as Node as Any, 0, (node, depth) => {
    for (const name of BRANCHES[node.type] ?? []) count(node[name] as Any | null, depth)
    if (node.type === 'SwitchCase') {
      const [statement] = node.consequent as Any[]
      if (statement) insert(statement.start, `${counter()};`, depth)
    }
    if (isComparison(node)) report(node, depth)
    collect(node, words, numbers)
  })
  return { code: spliced(code, inserts), branches, comparisons, words: [...words], numbers: [...numbers] }
}

/** Fields of syntax nodes that run only sometimes. */
const BRANCHES: Record<string, readonly string[]> = {
  IfStatement: ['consequent', 'alternate'],
  ConditionalExpression: ['consequent', 'alternate'],
  LogicalExpression: ['right'],
  ForStatement: ['body'],
  ForOfStatement: ['body'],
  ForInStatement: ['body'],
  WhileStatement: ['body'],
  FunctionDeclaration: ['body'],
  FunctionExpression: ['body'],
  ArrowFunctionExpression: ['body'],
  CatchClause: ['body'],
}

/** Whether both operands may be anything; a comparison with a literal that isn't text or a number says nothing. */
function isComparison({ type, operator, left, right }: Any): boolean {
  if (type !== 'BinaryExpression' || !Object.hasOwn(RESULT, operator as string)) return false
  return [left, right].every((side) => {
    const { type: kind, value, name, operator: sign } = side as Any
    if (kind === 'Literal') return typeof value === 'string' || typeof value === 'number'
    return name !== 'undefined' && sign !== 'typeof' && sign !== 'void'
  })
}

function collect(node: Any, words: Set<string>, numbers: Set<number>): void {
  if (node.type === 'TemplateElement') words.add((node.value as { cooked?: string }).cooked ?? '')
  if (node.type !== 'Literal') return
  const { value, regex } = node as unknown as { value: unknown; regex?: { pattern: string } }
  if (typeof value === 'string') words.add(value)
  if (typeof value === 'number') numbers.add(value)
  for (const word of regex?.pattern.match(/[\w:/"'~ -]+/g) ?? []) words.add(word)
}

function visit(node: Any, depth: number, act: (node: Any, depth: number) => void): void {
  act(node, depth)
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof (child as Any | null)?.type === 'string') visit(child as Any, depth + 1, act)
    }
  }
}

/** Of what is inserted at one place, ends come first, those of inner nodes before outer; begins the other way. */
function spliced(code: string, inserts: readonly Insert[]): string {
  const ordered = [...inserts].sort(
    (a, b) => a.at - b.at || rank(a.order) - rank(b.order) || a.order - b.order,
  )
  let from = 0
  let text = 'const { __branches, __compare } = globalThis;'
  for (const { at, text: inserted, skip = 0 } of ordered) {
    text += code.slice(from, at) + inserted
    from = at + skip
  }
  return text + code.slice(from)
}

function rank(order: number): number {
  return order < 0 ? 0 : 1
}
