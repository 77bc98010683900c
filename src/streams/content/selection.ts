import { compile } from 'css-select'
import { Problem } from '../../errors.ts'

/** What of a body that isn't JSON becomes the document. */
export type Selection = { what: 'feed' } | { what: 'css'; selector: string; take: Take }
/** What is taken of an element: its text, an attribute, its inner HTML, or text and attributes. */
export type Take = 'text' | 'html' | 'all' | `@${string}`

const CSS = /^css:\s*(\S.*?)(?:\s+\|\s+(text|html|all|@[^\s|"'<>/=]+))?\s*$/s

/**
 * Parses the `select` of a stream: `feed`, or `css: SELECTOR`, with what to take of each element after a vertical bar
 * between spaces, which no selector has. Default: its text.
 * @returns undefined if there is none
 * @throws Problem `invalid_field`
 */
export function parseSelection(text: string): Selection | undefined {
  if (text === '') return undefined
  if (text.trim() === 'feed') return { what: 'feed' }
  const [, selector, take = 'text'] = CSS.exec(text) ?? []
  if (selector === undefined) {
    const detail = `"${text.slice(0, 200)}" isn't a selection. Use "feed", or "css:" and a selector, with " | @href", " | html" or " | all" to take more than text.`
    throw new Problem('invalid_field', detail, 'select')
  }
  try {
    compile(selector)
  } catch (error) {
    const detail = `"${selector.slice(0, 200)}" isn't a CSS selector: ${(error as Error).message.slice(0, 200)}`
    throw new Problem('invalid_field', detail, 'select')
  }
  return { what: 'css', selector, take: take as Take }
}

/** Whether a body is XML rather than HTML. */
export function isXml(type: string, text: string): boolean {
  return /[/+]xml$/.test(type) || /^\s*<\?xml\b/.test(text)
}
