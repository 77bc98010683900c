import { selectAll } from 'css-select'
import { DomHandler, DomUtils, Parser, type ParserOptions } from 'htmlparser2'
import type { Json } from '../../core/documents/document.ts'
import { TooMuch } from '../../core/documents/work.ts'
import type { Selection, Take } from './selection.ts'

/** Deeper elements are an attack: pages have some dozens of levels. */
const MAX_LEVELS = 1_000
/** Most elements that are selected, and most characters taken of them: elements within each other repeat their text. */
const MAX_SELECTED = 50_000
const MAX_SELECTED_CHARS = 8_388_608

type Element = Parameters<typeof DomUtils.getAttributeValue>[0]
type Document = ConstructorParameters<typeof DomHandler>[0] extends unknown ? DomHandler['dom'] : never

/**
 * The document that is selected in a page or in XML: the text, attributes or inner HTML of elements, or the items of a
 * feed. Entities are those of HTML or XML itself: none that the text declares is expanded.
 * @throws TooMuch for what is nested too deeply, or selects too much
 */
export function selectIn(text: string, isXml: boolean, selection: Selection): Json {
  const dom = parse(text, { xmlMode: isXml || selection.what === 'feed' })
  if (selection.what === 'feed') return itemsOf(dom)
  const elements = selectAll(selection.selector, dom, { xmlMode: isXml }) as Element[]
  if (elements.length > MAX_SELECTED)
    throw new TooMuch('steps', `it selects more than ${MAX_SELECTED} elements`)
  let chars = 0
  return elements.flatMap((element) => {
    const taken = take(element, selection.take, isXml)
    if (taken === undefined) return []
    chars += JSON.stringify(taken).length
    if (chars > MAX_SELECTED_CHARS)
      throw new TooMuch('bytes', `it selects more than ${MAX_SELECTED_CHARS} characters`)
    return [taken]
  })
}

function parse(text: string, options: ParserOptions): Document {
  const handler = new BoundedHandler(undefined, options)
  new Parser(handler, options).end(text)
  return handler.dom
}

class BoundedHandler extends DomHandler {
  #levels = 0

  override onopentag(name: string, attributes: Record<string, string>): void {
    if (++this.#levels > MAX_LEVELS) throw new TooMuch('levels', `it has more than ${MAX_LEVELS} levels`)
    super.onopentag(name, attributes)
  }

  override onclosetag(): void {
    this.#levels--
    super.onclosetag()
  }
}

function take(element: Element, what: Take, xmlMode: boolean): Json | undefined {
  if (what === 'text') return textOf(element)
  if (what === 'html') return DomUtils.getInnerHTML(element, { xmlMode })
  if (what === 'all') return { text: textOf(element), attributes: { ...element.attribs } }
  return DomUtils.getAttributeValue(element, what.slice(1))
}

/** As a browser shows it: without scripts, and with white space collapsed. */
function textOf(element: Element): string {
  // biome-ignore lint/performance/useDomNodeTextContent: nothing is rendered here, and textContent has scripts, too
  return DomUtils.innerText(element).replaceAll(/\s+/g, ' ').trim()
}

/** The items of an RSS, RDF or Atom feed; none if it is no feed. */
function itemsOf(dom: Document): Json {
  const items = DomUtils.getFeed(dom)?.items ?? []
  return items.slice(0, MAX_SELECTED).map(({ id, title, link, description, pubDate }) => {
    const isDate = pubDate !== undefined && !Number.isNaN(pubDate.getTime())
    return {
      ...(id !== undefined && { id }),
      ...(title !== undefined && { title }),
      ...(link !== undefined && { link }),
      ...(isDate && { at: pubDate.toISOString() }),
      ...(description !== undefined && { description }),
    }
  })
}
