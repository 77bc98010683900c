import { type Choice, changedList } from './choice.ts'

/** A name, a number, a run of spaces, or a character of punctuation. */
const TOKEN = /\w+|[ \t]+|[^\w \t]/gu
const LINE = /[^\n]*\n|[^\n]+$/g
/** What separates the members of a list in some format. */
const CLAUSE = /[^;,&|/]*[;,&|/]|[^;,&|/]+$/g

/** A text with a whole token, clause or line changed; quotes and brackets around it stay. */
export function changedTokens(text: string, other: string, choice: Choice): string {
  const unit = choice.pick([TOKEN, TOKEN, CLAUSE, LINE]) ?? TOKEN
  const units = text.match(unit) ?? []
  if (choice.below(2) === 0) return changedList(units, choice.pick(other.match(unit) ?? []), choice).join('')
  const at = choice.below(units.length)
  const ending = unit === TOKEN ? '' : (/[\r\n;,&|/]*$/.exec(units[at] ?? '')?.[0] ?? '')
  const replaced = choice.below(5) === 0 ? String(choice.number()) : choice.word()
  return units.toSpliced(at, 1, replaced + ending).join('')
}
