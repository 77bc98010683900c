import { idOfNode } from '../../core/graph.ts'
import { Problem } from '../../errors.ts'
import type { DeclaredCall, DeclaredParts, DeclaredService } from './declaration.ts'

/** Statements that only style, describe or link what others draw. */
const WITHOUT_GRAPH = /^(classDef|class|style|linkStyle|click|direction|accTitle|accDescr)\b/
const HEADER = /^(graph|flowchart)(-elk)?(\s+(TB|TD|BT|RL|LR))?$/
const SUBGRAPH = /^subgraph\b\s*(.*)$/
/** An ID: no space, quote, bracket or `&`, and no dash or dot that begins an arrow. */
const ID = /^(?:[^\s"'`()[\]{}<>|&;:@=~.-]|:(?!::)|[.-](?![.-])(?=[^\s>|ox])|[.-](?=[ox]\w)|=(?!=))+/
/** The brackets of a node's shape; longer ones come first. `[(…)]` is the shape of a database. */
const SHAPES: readonly (readonly [open: string, close: string])[] = [
  ...([
    ['(((', ')))'],
    ['((', '))'],
    ['([', '])'],
    ['[[', ']]'],
    ['[(', ')]'],
    ['{{', '}}'],
  ] as const),
  ...([
    ['[/', '/]'],
    ['[/', '\\]'],
    ['[\\', '\\]'],
    ['[\\', '/]'],
    ['(', ')'],
    ['[', ']'],
    ['{', '}'],
    ['>', ']'],
  ] as const),
]
/** An arrow without a text in the middle: `-->`, `---`, `-.->`, `==>`, `--x`, `<-->`, `~~~`, any of them longer. */
const ARROW = /^(?:\w+@)?(<|[xo](?=[-=]))?(?:(?:-{2,}|-\.+-|={2,})(?:>|[xo](?!\w))|-{3,}|-\.+-|={3,}|(~{3,}))/
/** The begin of an arrow with a text in it, as in `-- text -->`, and its end. */
const OPEN_ARROW = /^(<|[xo](?=[-=]))?(?:--|-\.|==)/
const ARROW_END = /^.*?(?:-{2,}(?:>|[xo](?!\w))|-{3,}|\.+->?|={2,}>|={3,})/
/** Longest statement, and most arrows: what takes longer to read isn't a picture. */
const MAX_STATEMENT_CHARS = 1_000
const MAX_ARROWS = 10_000

/**
 * Reads the services and calls of a Mermaid flowchart. Shapes, styles and directions are left out, but for the shape
 * of a database; a subgraph is the group of the nodes that it names first. An arrow with two heads is two calls.
 * @throws Problem `invalid_field` about `text`, with the line
 * @see https://mermaid.js.org/syntax/flowchart.html
 */
export function readFlowchart(text: string): DeclaredParts {
  const chart = new Chart()
  for (const { statement, line } of statements(text)) chart.read(statement, line)
  return chart.parts()
}

class Chart {
  readonly #services = new Map<string, DeclaredService>()
  readonly #calls: DeclaredCall[] = []
  /** The names of the open subgraphs. */
  readonly #groups: string[] = []
  #hasHeader = false

  read(statement: string, line: number): void {
    if (statement.length > MAX_STATEMENT_CHARS)
      throw wrong(line, `expected at most ${MAX_STATEMENT_CHARS.toLocaleString('en')} characters`)
    if (!this.#hasHeader) {
      if (!HEADER.test(statement)) throw wrong(line, `expected "flowchart LR", got ${quoted(statement)}`)
      this.#hasHeader = true
      return
    }
    const group = SUBGRAPH.exec(statement)
    if (group !== null) return void this.#groups.push(titleOf(group[1] ?? ''))
    if (statement === 'end') {
      if (this.#groups.pop() === undefined) throw wrong(line, '"end" without a subgraph')
    } else if (!WITHOUT_GRAPH.test(statement)) this.#chain(new Cursor(statement, line))
  }

  parts(): DeclaredParts {
    return { services: [...this.#services.values()], calls: this.#calls }
  }

  /** Nodes with arrows between them: `A & B --> C -- text --> D`. */
  #chain(cursor: Cursor): void {
    let sources = this.#nodes(cursor)
    while (!cursor.isAtEnd) {
      const arrow = cursor.arrow()
      const targets = this.#nodes(cursor)
      if (arrow !== 'hidden') this.#connect(sources, targets, arrow)
      cursor.atMost(MAX_ARROWS, this.#calls.length)
      sources = targets
    }
  }

  #connect(sources: readonly string[], targets: readonly string[], arrow: 'one' | 'both'): void {
    for (const from of sources) {
      for (const to of targets) {
        this.#calls.push({ from, to })
        if (arrow === 'both') this.#calls.push({ from: to, to: from })
      }
    }
  }

  #nodes(cursor: Cursor): string[] {
    const ids = [this.#node(cursor)]
    while (cursor.take(/^ ?& ?/)) ids.push(this.#node(cursor))
    return ids
  }

  #node(cursor: Cursor): string {
    const { id, name, isDatabase } = cursor.node()
    const known = this.#services.get(id)
    const group = known?.group ?? (known === undefined ? this.#groups.at(-1) : undefined)
    this.#services.set(id, {
      ...known,
      id,
      ...(name !== undefined && name !== id && { name }),
      ...(isDatabase && { kind: 'database' as const }),
      ...(group !== undefined && { group }),
    })
    return id
  }
}

/** What is left of a statement. */
class Cursor {
  #rest: string
  readonly #line: number

  constructor(statement: string, line: number) {
    this.#rest = statement
    this.#line = line
  }

  get isAtEnd(): boolean {
    return this.#rest === ''
  }

  atMost(most: number, arrows: number): void {
    if (arrows > most) throw wrong(this.#line, `more than ${most.toLocaleString('en')} arrows`)
  }

  take(pattern: RegExp): RegExpExecArray | undefined {
    const match = pattern.exec(this.#rest)
    if (match === null) return undefined
    this.#rest = this.#rest.slice(match[0].length)
    return match
  }

  node(): { id: string; name: string | undefined; isDatabase: boolean } {
    const written = this.take(ID)?.[0]
    if (written === undefined) throw this.#expected('the ID of a node')
    const id = idOfNode(written)
    const shape = SHAPES.find(([open, close]) => this.#rest.startsWith(open) && this.#closes(open, close))
    let name: string | undefined
    if (shape !== undefined) name = this.#label(shape)
    // Newer shapes, and classes.
    this.take(/^@\{[^}]*\}/)
    this.take(/^:::[\w-]+/)
    this.take(/^ /)
    return { id, name, isDatabase: shape?.[0] === '[(' }
  }

  /** `one` for an arrow, `both` for one with two heads, `hidden` for one that isn't drawn. */
  arrow(): 'one' | 'both' | 'hidden' {
    const arrow = this.take(ARROW) ?? this.#textArrow()
    this.take(/^ ?\|(?:"[^"]*"|[^|"])*\|/)
    this.take(/^ /)
    if (arrow[2] !== undefined) return 'hidden'
    return arrow[1] === undefined ? 'one' : 'both'
  }

  #textArrow(): RegExpExecArray {
    const arrow = this.take(OPEN_ARROW)
    if (arrow === undefined) throw this.#expected('an arrow such as -->')
    if (this.take(ARROW_END) === undefined) throw this.#expected('the end of an arrow, as in "-- text -->"')
    return arrow
  }

  #closes(open: string, close: string): boolean {
    return this.#end(open, close) !== undefined
  }

  /** Where the label's closing bracket begins: a quoted label may contain brackets. */
  #end(open: string, close: string): number | undefined {
    const quote = /^\s*"[^"]*"\s*/.exec(this.#rest.slice(open.length))
    const from = open.length + (quote?.[0].length ?? 0)
    if (quote !== null) return this.#rest.startsWith(close, from) ? from : undefined
    const at = this.#rest.indexOf(close, from)
    return at === -1 ? undefined : at
  }

  #label([open, close]: readonly [string, string]): string {
    const end = this.#end(open, close) ?? 0
    const label = labelOf(this.#rest.slice(open.length, end))
    this.#rest = this.#rest.slice(end + close.length)
    return label
  }

  #expected(what: string): Problem {
    return wrong(this.#line, `expected ${what}, got ${quoted(this.#rest.trim())}`)
  }
}

/** The statements of a text with their lines, from 1; comments, settings and front matter left out. */
function* statements(text: string): Generator<{ statement: string; line: number }> {
  const lines = text.split(/\r\n|\r|\n/)
  let first = lines.findIndex((line) => line.trim() !== '')
  if (lines[first]?.trim() === '---') first = lines.indexOf('---', first + 1) + 1
  for (const [at, line] of lines.entries()) {
    if (at < first || line.trim().startsWith('%%')) continue
    // A semicolon in a quoted label or after an entity's number ends nothing.
    for (const part of line.match(/(?:"[^"]*"|#\w+;|[^;])+/g) ?? []) {
      const statement = part.trim().replace(/\s+/g, ' ')
      if (statement !== '') yield { statement, line: at + 1 }
    }
  }
}

/** The title of a subgraph: `id [Title]`, `"Title"` or the ID. */
function titleOf(text: string): string {
  const title = /^[^[\]]*\[(.*)\]$/.exec(text)?.[1]
  return labelOf(title ?? text)
}

/** A label as people read it: without quotes, Markdown's backticks, tags and entities. */
function labelOf(text: string): string {
  return text
    .trim()
    .replace(/^"(.*)"$/s, '$1')
    .replace(/^`(.*)`$/s, '$1')
    .replace(/<[^<>]*>/g, ' ')
    .replace(/#(\d{1,7});/g, (entity, code) =>
      Number(code) <= 0x10ffff ? String.fromCodePoint(Number(code)) : entity,
    )
    .replace(/#(quot|amp|lt|gt);/g, (_, name: keyof typeof NAMED) => NAMED[name])
    .replace(/\s+/g, ' ')
    .trim()
}

const NAMED = { quot: '"', amp: '&', lt: '<', gt: '>' }
/** How much of a line an error shows. */
const MAX_SHOWN_CHARS = 40

function quoted(text: string): string {
  if (text === '') return 'the end of the line'
  return text.length > MAX_SHOWN_CHARS ? `"${text.slice(0, MAX_SHOWN_CHARS)}…"` : `"${text}"`
}

function wrong(line: number, sentence: string): Problem {
  return new Problem('invalid_field', `Line ${line}: ${sentence}.`, 'text')
}
