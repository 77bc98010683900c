import { lineTooLong, MAX_LINE_CHARS } from '../bounds.ts'
import type { ImportLine } from '../lines.ts'
import { pacer } from '../pace.ts'
import { commaSeparated, tagsFrom } from './format.ts'

/** Whether a line begins a list of URLs. */
export const URL_LINE = /^https?:\/\/\S+/i

/** A list of URLs, one per line, each optionally followed by tags, as changedetection.io backs them up. */
export async function* urlLines(text: string): AsyncGenerator<ImportLine> {
  const rest = pacer()
  let line = 0
  for (const match of text.matchAll(/[^\r\n]*(\r\n|\n|\r|$)/g)) {
    const each = match[0].trim()
    line++
    if (line % 1_024 === 0) await rest()
    if (each === '' || each.startsWith('#')) continue
    yield each.length > MAX_LINE_CHARS
      ? { line, problem: lineTooLong() }
      : { line, value: registrationOf(each) }
  }
}

function registrationOf(text: string) {
  const [, url = '', tags = ''] = /^(\S+)\s*(.*)$/.exec(text) ?? []
  return { url, ...tagsFrom(commaSeparated(tags)) }
}
